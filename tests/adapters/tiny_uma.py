"""Tiny random checkpoints of fairchem's architectures, saved as the vendor saves: few channels."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

UMA_TASKS = ("omol", "omat", "oc20")
# eV per atom, index = atomic number: no reference for Au, as if training had never seen it.
REFERENCES = [0.0, *(-10.0 * z for z in range(1, 100))]
REFERENCES[79] = 0.0


def _task(dataset: str, kind: str, dim: list[int], rmsd: float) -> dict[str, Any]:
    """One row of a checkpoint's tasks_config; `rmsd` scales what the network says."""
    unit = "fairchem.core.units.mlip_unit.mlip_unit"
    normalization = "fairchem.core.modules.normalization"
    task: dict[str, Any] = {
        "_target_": f"{unit}.Task",
        "name": f"{dataset}_{kind}",
        "level": "atom" if kind == "forces" else "system",
        "property": kind,
        "out_spec": {"_target_": f"{unit}.OutputSpec", "dim": dim, "dtype": "float32"},
        "normalizer": {
            "_target_": f"{normalization}.normalizer.Normalizer",
            "mean": 0.0,
            "rmsd": rmsd,
        },
        "datasets": [dataset],
    }
    if kind == "energy":
        task["element_references"] = {
            "_target_": f"{normalization}.element_references.ElementReferences",
            "element_references": {"_target_": "torch.DoubleTensor", "_args_": [REFERENCES]},
        }
    return task


def _save(path: Path, config: dict[str, Any], tasks: list[dict[str, Any]], seed: int) -> str:
    import hydra
    import torch
    from fairchem.core.units.mlip_unit.api.inference import MLIPInferenceCheckpoint

    with torch.random.fork_rng(), warnings.catch_warnings():
        torch.manual_seed(seed)
        warnings.filterwarnings("ignore", r"`torch\.jit\.script", DeprecationWarning)
        model = hydra.utils.instantiate(config)
    average = torch.optim.swa_utils.AveragedModel(model)
    weights, averaged = model.state_dict(), average.state_dict()
    torch.save(MLIPInferenceCheckpoint(config, weights, averaged, tasks), path)
    return str(path)


def _hydra(backbone: dict[str, Any], heads: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {
        "_target_": "fairchem.core.models.base.HydraModel",
        "backbone": backbone,
        "heads": heads,
        "pass_through_head_outputs": True,
        **options,
    }


def _escn(datasets: tuple[str, ...], experts: int, **options: Any) -> dict[str, Any]:
    return {
        "model": "fairchem.core.models.uma.escn_moe.eSCNMDMoeBackbone",
        "num_experts": experts,
        "use_composition_embedding": experts > 0,
        "max_num_elements": 100,
        "sphere_channels": 16,
        "hidden_channels": 16,
        "edge_channels": 16,
        "num_distance_basis": 32,
        "lmax": 2,
        "mmax": 2,
        "num_layers": 2,
        "cutoff": 6.0,
        "max_neighbors": 300,
        "otf_graph": True,
        "regress_forces": True,
        "regress_stress": True,
        "direct_forces": False,
        "norm_type": "rms_norm_sh",
        "act_type": "gate",
        "ff_type": "spectral",
        "chg_spin_emb_type": "rand_emb",
        "cs_emb_grad": True,
        "dataset_emb_grad": True,
        "dataset_mapping": {name: name for name in datasets},
        **options,
    }


def _wrapped(head: str, datasets: tuple[str, ...]) -> dict[str, Any]:
    return {
        "module": "fairchem.core.models.uma.escn_moe.DatasetSpecificSingleHeadWrapper",
        "head_cls": f"fairchem.core.models.uma.escn_md.{head}",
        "dataset_names": list(datasets),
        "wrap_property": True,
    }


def _tasks(*datasets: str, rmsd: float = 30.0) -> list[dict[str, Any]]:
    """Untrained energies hardly vary: a large scale makes errors of a batch visible."""
    kinds = {"energy": [1], "forces": [3]}
    return [_task(name, kind, kinds[kind], rmsd) for name in datasets for kind in kinds]


def save_uma(
    path: Path, *, single_atoms: bool = True, seed: int = 3, experts: int = 4, **sizes: int
) -> str:
    """UMA 1.2: mixture of experts, three tasks, charge and spin, conservative forces."""
    head = {
        "module": "fairchem.core.models.uma.escn_moe.DatasetSpecificMoEWrapper",
        "head_cls": "fairchem.core.models.uma.escn_md.MLP_EFS_Head",
        "head_kwargs": {"wrap_property": False},
        "dataset_mapping": {name: name for name in UMA_TASKS},
    }
    config = _hydra(
        _escn(UMA_TASKS, experts, charge_balanced_channels=[0, 1, 2], **sizes),
        {"energyandforcehead": head},
        model_id="UMA-S-1.2.1",
        supports_single_atoms=single_atoms,
    )
    return _save(path, config, [*_tasks(*UMA_TASKS), _task("omat", "stress", [1, 9], 30.0)], seed)


def save_esen(path: Path, *, forces: str | None = "gradient", seed: int = 3) -> str:
    """eSEN for OMol25: no experts, one task, no lone atoms; forces may be direct or missing."""
    datasets = ("omol",)
    if forces == "gradient":
        heads = {"energyandforcehead": _wrapped("MLP_EFS_Head", datasets)}
        heads["energyandforcehead"]["head_kwargs"] = {"wrap_property": False}
    else:
        heads = {"energyhead": _wrapped("MLP_Energy_Head", datasets)}
    if forces == "direct":
        heads["forcehead"] = _wrapped("Linear_Force_Head", datasets)
    options = {"direct_forces": forces == "direct", "regress_forces": forces is not None}
    backbone = _escn(datasets, 0, regress_stress=False, **options)
    tasks = _tasks(*datasets)[: 2 if forces else 1]
    return _save(path, _hydra(backbone, heads), tasks, seed)


def save_allscaip(path: Path, seed: int = 3) -> str:
    """AllScAIP for OMol25: attention between all atoms, gradient forces."""
    backbone = {
        "model": "fairchem.core.models.allscaip.AllScAIP.AllScAIPBackbone",
        "num_layers": 2,
        "hidden_size": 64,
        "direct_forces": False,
        "regress_forces": True,
        "regress_stress": False,
        "use_compile": False,
        "use_padding": False,
        "dataset_list": ["omol"],
        "use_node_path": True,
        "use_freq_mask": False,
        "use_sincx_mask": False,
        "max_num_elements": 110,
        "max_batch_size": 96,
        "max_atoms": 1000,
        "max_radius": 6.0,
        "knn_k": 30,
        "knn_pad_size": 60,
        "atten_name": "memory_efficient",
        "atten_num_heads": 4,
    }
    head = _wrapped("", ("omol",))
    head["head_cls"] = "AllScAIP_grad_energy_force_stress_head"
    head["head_kwargs"] = {"wrap_property": False}
    return _save(path, _hydra(backbone, {"efs": head}), _tasks("omol", rmsd=3.0), seed)

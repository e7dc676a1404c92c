"""One training run: what is asked (`RunSpec`), how it is done, what came out (`RunResult`).

`ase_probe.scaling.training.run.train` is the way in; only what it imports needs torch.
"""

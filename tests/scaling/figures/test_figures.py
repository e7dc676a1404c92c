import numpy as np
import pytest
from scaling.studies import SMALL, plan, results

pytest.importorskip("matplotlib")

from ase_probe.errors import InputError
from ase_probe.scaling.figures import FIGURES, write_figures
from ase_probe.scaling.summary import summarise


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    return plan(tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def summary(specs):
    return summarise(results(specs), specs, repeats=9)


def drawn(summary, name):
    return FIGURES[name].draw(summary)


def lines_of(panel):
    return [line for line in panel.lines if len(line.get_xdata()) > 50]


def test_every_figure_is_written_and_opens(summary, tmp_path):
    from PIL import Image

    captions = write_figures(summary, tmp_path)
    assert list(captions) == list(FIGURES)
    for name in FIGURES:
        with Image.open(tmp_path / f"{name}.png") as picture:
            picture.verify()
        text = (tmp_path / f"{name}.svg").read_text()
        assert "<svg" in text
        assert "<dc:date>" not in text
    assert "takes" not in captions["h2"]
    assert "They take no charge" in captions["h2"]


def test_h2_shows_every_network_beside_three_references(summary):
    stable, without, with_h2 = drawn(summary, "h2").axes
    assert len(lines_of(stable)) == 18 + 3
    assert len(lines_of(without)) == len(lines_of(with_h2)) == 3 + 2 * 3 + 3
    names = {text.get_text() for text in with_h2.get_legend().get_texts()}
    assert names == {"k = 0", "k = 10", "k = 100"}


def test_every_fine_tuned_cell_is_drawn(tmp_path):
    start = SMALL.index("[[grid]]", 10)
    cell = SMALL[start : SMALL.index("[[grid]]", start + 10)]
    specs = plan(tmp_path, SMALL + cell.replace("molecules = 300", "molecules = 100"))
    both = summarise(results(specs), specs, repeats=9)
    assert len(both.shots) == 2
    above, below = np.reshape(drawn(both, "h2").axes, (2, 3))
    assert [panel.get_title() for panel in (above[1], below[1])] == [
        "shots without H2, w32 D300", "shots without H2, w32 D100",
    ]  # fmt: skip
    assert len(lines_of(below[2])) == len(lines_of(above[2]))
    assert not below[0].axison
    assert len(drawn(both, "shots").axes) == 8


def test_the_loss_has_its_law_and_band(summary):
    (panel,) = drawn(summary, "loss").axes
    assert len(panel.collections) == 3  # a band for each width
    assert {text.get_text() for text in panel.get_legend().get_texts()} == {
        "width 8", "width 16", "width 32",
    }  # fmt: skip
    assert len(drawn(summary, "chemgpt").axes) == 2


def test_runs_without_a_well_are_marked_not_dropped(summary):
    panel = drawn(summary, "outcomes").axes[0]
    crosses = [line for line in panel.lines if line.get_marker() == "x"]
    assert len(crosses) == 18


def test_what_has_no_run_is_not_drawn_and_an_old_drawing_goes(specs, tmp_path):
    some = [r for r in results(specs) if r.spec.shots is None and r.spec.model == "schnet"]
    (tmp_path / "chemgpt.svg").write_text("old")
    captions = write_figures(summarise(some, specs, repeats=9), tmp_path, endings=[".svg"])
    assert {"shots", "chemgpt"}.isdisjoint(captions)
    assert not (tmp_path / "chemgpt.svg").exists()
    assert all("Sweep: INCOMPLETE: 18 of 42 runs" in caption for caption in captions.values())
    panels = drawn(summarise(some, specs, repeats=9), "h2").axes
    assert "no run yet" in panels[1].texts[0].get_text()


def test_a_figure_of_another_name_is_refused(summary, tmp_path):
    with pytest.raises(InputError, match="No figure h3; there are h2, loss"):
        write_figures(summary, tmp_path, ["h3"])

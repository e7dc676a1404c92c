from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("selfies")

from ase_probe.errors import InputError  # noqa: E402
from ase_probe.scaling.data.moses import moses  # noqa: E402
from ase_probe.scaling.models.chemgpt import build, non_embedding, token_loss  # noqa: E402
from ase_probe.scaling.models.tokens import (  # noqa: E402
    END,
    LONGEST,
    MOSES,
    PADDING,
    START,
    Vocabulary,
)

ETHANOL, BENZENE = "[C][C][O]", "[C][=C][C][=C][C][=C][Ring1][=Branch1]"


def test_tokens_are_padded_behind_the_end():
    vocabulary = Vocabulary.of([ETHANOL, BENZENE])
    tokens = vocabulary.encode([ETHANOL, BENZENE])
    assert tokens.shape == (2, 10)
    carbon, oxygen = (3 + vocabulary.symbols.index(symbol) for symbol in ("[C]", "[O]"))
    assert tokens[0].tolist()[:5] == [START, carbon, carbon, oxygen, END]
    assert set(tokens[0, 5:]) == {PADDING}
    assert tokens.max() < len(vocabulary)


def test_unknown_symbols_are_named():
    with pytest.raises(InputError, match=r"\[O\]"):
        Vocabulary.of([BENZENE]).encode([ETHANOL])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build(32, 4, vocabulary=30, length=12).eval()


def test_size_is_counted_without_embeddings(model):
    # 12 w² a layer, and its biases and norms: 4 attention matrices (one bias), 2 of 4 w, 2 norms.
    layer = 12 * 32**2 + 32 + (4 * 32 + 32) + 4 * 32
    assert non_embedding(model) == 4 * layer + 2 * 32


def test_loss_is_the_mean_over_tokens_and_blind_to_padding(model):
    tokens = torch.tensor([[START, 5, 6, 7, END], [START, 8, END, PADDING, PADDING]])
    with torch.no_grad():
        loss, count = token_loss(model, tokens)
        alone = [token_loss(model, tokens[:1]), token_loss(model, tokens[1:, :3])]
    assert count == 6
    expected = sum(float(part) * weight for part, weight in alone) / 6
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    assert float(loss) == pytest.approx(np.log(30), rel=0.1)  # it knows nothing yet


def test_a_token_is_not_foreseen_from_itself(model):
    tokens = torch.tensor([[START, 5, 6, 7, END]])
    changed = tokens.clone()
    changed[0, 3] = 9
    before, after = (model(input_ids=t).logits[0, :3] for t in (tokens, changed))
    assert torch.equal(before, after)


def test_width_is_a_multiple_of_a_heads():
    with pytest.raises(InputError, match="multiple of 16"):
        build(24, 4, vocabulary=30, length=12)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("moses") is None, reason="molsets is not installed")
def test_moses_fits_the_vocabulary():
    texts = moses(300, seed=0, validation=300, test=300)
    tokens = MOSES.encode([*texts.training, *texts.validation, *texts.test])
    assert tokens.shape[1] <= LONGEST
    assert list(MOSES.symbols) == sorted(MOSES.symbols)

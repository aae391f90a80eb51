"""The hierarchical pooling against torch's packed LSTM and against a loop over single clips."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from pianobench import UsageError
from pianobench.testing import check_component
from pianobench_hierarchical import Hierarchical

torch = pytest.importorskip("torch", reason="torch is not installed")

from pianobench_hierarchical.network import _draw_spans  # noqa: E402 - it imports torch

WIDTH = 5


def clip(notes, seed):
    """A clip whose notes are not quite in the order of their beats."""
    random = np.random.default_rng(seed)
    beat = np.sort(random.integers(0, max(2, notes // 3), notes))
    swapped = random.permutation(notes)[:2]
    beat[swapped] = beat[swapped[::-1]]
    return (
        torch.tensor(random.normal(size=(notes, WIDTH)), dtype=torch.float32),
        {
            "beat": torch.tensor(beat),
            "measure": torch.tensor(beat // 2),
            "voice": torch.tensor(random.integers(0, 3, notes)),
        },
    )


def padded(clips, junk=0.0, extra=0):
    longest = max(len(values) for values, _ in clips) + extra
    values = torch.full((len(clips), longest, WIDTH), junk)
    mask = torch.zeros(len(clips), longest, dtype=torch.bool)
    levels = {name: torch.full(mask.shape, 7 if junk else 0) for name in clips[0][1]}
    for row, (of_clip, units) in enumerate(clips):
        values[row, : len(of_clip)] = of_clip
        mask[row, : len(of_clip)] = True
        for name in levels:
            levels[name][row, : len(of_clip)] = units[name]
    return values, mask, levels


@pytest.fixture
def clips():
    return [clip(notes, notes) for notes in (3, 40, 17, 1, 90)]


def network(**options):
    torch.manual_seed(1)
    module = Hierarchical(**options).network(WIDTH)
    module.eval()
    return module


def packed_lstm(reader, values):
    """torch's own bidirectional LSTM with the weights of ours, on one sequence."""
    layers, units = len(reader.forwards), reader.width // 2
    own = torch.nn.LSTM(values.shape[1], units, layers, batch_first=True, bidirectional=True)
    for layer, (there, back) in enumerate(zip(reader.forwards, reader.backwards, strict=True)):
        for suffix, source in (("", there), ("_reverse", back)):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(own, f"{name}_l{layer}{suffix}").data = getattr(source, f"{name}_l0").data
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        values[None], torch.tensor([len(values)]), batch_first=True
    )
    read, _ = torch.nn.utils.rnn.pad_packed_sequence(own(packed)[0], batch_first=True)
    return read[0]


def attend(attention, rows):
    means, spreads = [], []
    projected = torch.tanh(attention.project(rows)).chunk(attention.heads, dim=1)
    for head, (part, own) in enumerate(
        zip(projected, rows.chunk(attention.heads, dim=1), strict=True)
    ):
        weight = torch.softmax(part @ attention.context[head], dim=0)[:, None]
        means.append((weight * own).sum(dim=0))
        spreads.append(((weight * (own - means[-1]) ** 2).sum(dim=0) + 1e-4).sqrt())
    return torch.cat(means), torch.cat(spreads)


def sum_up(summary, rows):
    if not hasattr(summary, "context"):
        return rows.mean(dim=0)
    mean, spread = attend(summary, rows)
    of_spread = type(summary).__name__ == "AttentiveStatistics"
    return torch.cat([mean, spread]) if of_spread else mean


def naive(module, values, levels):
    """One clip, unit by unit."""
    embedded = module.embed(values)
    hidden = packed_lstm(module.notes, embedded)
    if "voice" in module.levels:
        voices = torch.zeros(len(values), module.voices.width)
        for voice in levels["voice"].unique():
            own = levels["voice"] == voice
            voices[own] = packed_lstm(module.voices, embedded[own])
        hidden = torch.cat([hidden, voices], dim=1)
    straight = [] if module.direct is None else [sum_up(module.direct, hidden)]
    units = dict(levels)
    for level in ("beat", "measure"):
        if level not in module.levels:
            continue
        members = [(units[level] == unit).nonzero()[:, 0] for unit in units[level].unique()]
        hidden = torch.stack([sum_up(module.summaries[level], hidden[own]) for own in members])
        units = {name: torch.stack([of[own[0]] for own in members]) for name, of in units.items()}
        hidden = packed_lstm(module.readers[level], hidden)
    return torch.cat([sum_up(module.whole, hidden), *straight])


@pytest.mark.parametrize("summary", ["attention", "mean", "statistics"])
@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize(
    "levels", [("voice", "beat", "measure"), ("measure",), ("beat",), ("voice",), ()]
)
def test_it_agrees_with_a_loop_over_clips_voices_beats_and_measures(
    clips, levels, summary, shortcut
):
    module = network(levels=levels, summary=summary, shortcut=shortcut)
    with torch.inference_mode():
        expected = torch.stack([naive(module, *one) for one in clips])
        found = module(*padded(clips))
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)


@pytest.mark.slow
def test_the_published_size_agrees_with_the_loop_too(clips):
    module = network(size="published")
    with torch.inference_mode():
        expected = torch.stack([naive(module, *one) for one in clips])
        torch.testing.assert_close(module(*padded(clips)), expected, atol=5e-6, rtol=0)


def test_gradients_agree_with_the_loop(clips):
    module = network()
    torch.stack([naive(module, *one) for one in clips]).square().sum().backward()
    # packed_lstm holds copies of the recurrent weights, so the attention's and embedding's are
    # compared.
    names = [n for n, p in module.named_parameters() if p.grad is not None]
    expected = {n: module.get_parameter(n).grad.clone() for n in names}
    module.zero_grad()
    module(*padded(clips)).square().sum().backward()
    assert {"embed.weight", "whole.context", "summaries.beat.project.weight"} <= set(names)
    for name in names:
        torch.testing.assert_close(
            module.get_parameter(name).grad, expected[name], atol=2e-5, rtol=1e-4
        )


def test_padding_and_other_clips_change_nothing(clips):
    module = network()
    with torch.inference_mode():
        together = module(*padded(clips, junk=1e6, extra=9))
        alone = torch.cat([module(*padded([one])) for one in clips])
        turned = module(*padded(clips[::-1]))
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    torch.testing.assert_close(turned.flip(0), together, atol=1e-6, rtol=0)


def test_units_of_different_clips_stay_apart_where_levels_begin_below_0(clips):
    shifted = [(values, {name: of - 3 for name, of in units.items()}) for values, units in clips]
    module = network()
    with torch.inference_mode():
        together = module(*padded(shifted))
        alone = torch.cat([module(*padded([one])) for one in shifted])
        expected = module(*padded(clips))
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    torch.testing.assert_close(together, expected, atol=1e-6, rtol=0)


def test_a_training_step_reads_a_span_of_at_least_the_share_asked_for(clips):
    torch.manual_seed(0)
    _, mask, _ = padded(clips)
    lengths = mask.sum(dim=1)
    starts = set()
    for _ in range(200):
        read = _draw_spans(mask, 0.5) & mask
        found = read.sum(dim=1)
        assert bool((found >= torch.ceil(0.5 * lengths)).all())
        assert bool((found <= lengths).all())
        for row in read:
            first, last = int(row.nonzero()[0, 0]), int(row.nonzero()[-1, 0])
            assert last - first + 1 == int(row.sum())
        starts.add(int(read[4].nonzero()[0, 0]))
    # Of the longest clip, 90 notes: spans begin all over its first half.
    assert min(starts) < 5
    assert max(starts) > 30
    whole = _draw_spans(mask, 1.0)
    assert torch.equal(whole & mask, mask)


def test_spans_are_drawn_in_training_only(clips):
    module = network(dropout=0.0)
    with torch.inference_mode():
        first, second = module(*padded(clips)), module(*padded(clips))
        module.train()
        drawn = module(*padded(clips))
    assert torch.equal(first, second)
    assert float((drawn - first).abs().max()) > 1e-3


def test_the_published_size_has_the_published_number_of_parameters():

    def lstm(width, units):
        return 2 * (4 * units * (width + units) + 8 * units)

    def attention(width):
        return width * (width + 2)

    module = Hierarchical(size="published", summary="attention", shortcut=False).network(101)
    notes = lstm(256, 256) + lstm(512, 256)
    beats = lstm(1024, 256) + lstm(512, 256)
    expected = 102 * 256 + 2 * notes + attention(1024) + beats + attention(512) + lstm(512, 256)
    found = sum(p.numel() for p in module.parameters())
    assert found == expected + attention(512)
    # 12.9 million with the head of 512-512-19.
    assert found + 513 * 512 + 513 * 19 == pytest.approx(12.9e6, abs=0.05e6)
    small = sum(p.numel() for p in network().parameters())
    assert small == pytest.approx(0.45e6, rel=0.05)


def test_frames_without_a_level_that_is_read_are_refused(clips):
    values, mask, levels = padded(clips)
    with pytest.raises(UsageError, match=r"reads the level 'voice'.*gives beat, measure"):
        network()(values, mask, {name: levels[name] for name in ("beat", "measure")})
    assert network(levels=())(values, mask, {}).shape == (5, 384)


def test_levels_are_taken_once_and_in_their_order():
    assert Hierarchical(levels=("measure", "voice")).levels == ("voice", "measure")
    with pytest.raises(ValidationError, match="once"):
        Hierarchical(levels=("beat", "beat"))
    assert Hierarchical().learned


@pytest.mark.parametrize("options", [{}, {"summary": "mean", "shortcut": False}, {"levels": ()}])
def test_it_keeps_what_a_learned_pooling_promises(options):
    checks = check_component(Hierarchical(**options))
    assert [str(check) for check in checks if not check.passed] == []

"""Voices: from recordings to excerpts of bands."""

import wave
from pathlib import Path

import numpy as np
import pytest

from normlab.data import speech
from normlab.data.speech import BANDS, RATE, STEPS, excerpts, log_mel, mel_filters, read_voices

TIME = np.arange(RATE) / RATE


def test_filters_are_triangles_that_each_end_where_their_neighbour_has_its_top() -> None:
    filters = mel_filters(6, 4096, RATE)
    tops = filters.argmax(1)
    assert (np.diff(tops, 2) >= 0).all()  # wider the higher
    assert filters.max(1) == pytest.approx(1, abs=0.05)
    for band, (left, right) in enumerate(zip(tops[:-2], tops[2:], strict=True), start=1):
        assert filters[band, [left, right]] == pytest.approx(0, abs=0.05)
    between = filters[:, tops[0] + 1 : tops[-1]].sum(0)
    assert between == pytest.approx(1, abs=1e-9)


def test_a_tone_sounds_in_the_band_that_has_its_frequency() -> None:
    loudest = [int(log_mel(1000 * np.sin(2 * np.pi * f * TIME)).mean(1).argmax()) for f in (200, 800, 3000)]
    expected = [int(mel_filters(BANDS, RATE, RATE)[:, f].argmax()) for f in (200, 800, 3000)]
    assert loudest == expected


def test_excerpts_begin_where_speech_does_and_end_where_it_ends() -> None:
    source = np.random.default_rng(0)
    spoken = 3000 * source.standard_normal(RATE)
    found = excerpts(np.concatenate([np.zeros(RATE), spoken, np.zeros(RATE)]), 3)
    assert found.shape == (3, BANDS, 1, STEPS)
    assert found.dtype == np.uint8
    # None of them holds silence, which would lie far from 128, where each band's mean is.
    assert np.abs(found.astype(int) - 128).max() < 127
    assert found.mean((0, 2, 3)) == pytest.approx(128, abs=0.5)
    assert not np.array_equal(found[0], found[2])


def test_how_loud_and_through_which_line_a_voice_comes_is_not_in_an_excerpt() -> None:
    spoken = 3000 * np.random.default_rng(1).standard_normal(RATE) * (1.5 + np.sin(20 * TIME))
    assert np.abs(excerpts(spoken, 2).astype(int) - excerpts(4 * spoken, 2)).max() <= 1


@pytest.mark.parametrize("samples", [10, RATE // 4])
def test_a_recording_shorter_than_an_excerpt_has_none(samples: int) -> None:
    assert len(excerpts(np.ones(samples), 3)) == 0


def test_recordings_become_a_class_a_folder_and_silence_is_left_out(tmp_path: Path) -> None:
    source = np.random.default_rng(2)
    for voice in ("a", "b"):
        for name in ("1", "2", "3", "silence/1"):
            file = tmp_path / voice / f"{name}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            with wave.open(str(file), "wb") as sound:
                sound.setnchannels(1)
                sound.setsampwidth(2)
                sound.setframerate(RATE)
                sound.writeframes((3000 * source.standard_normal(RATE)).astype("<i2").tobytes())
    found = read_voices([tmp_path / "a", tmp_path / "b"])
    assert found.train_labels.tolist() == [0] * 6 + [1] * 6
    assert found.test_labels.tolist() == [0] * 3 + [1] * 3
    assert found.train_images.shape == (12, *speech.VOICES.shape)

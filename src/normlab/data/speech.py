"""Voices: what half a second of speech sounds like, as a series of 25 steps with a channel for each of 24 bands of frequency."""

import wave
from pathlib import Path

import numpy as np

from normlab.data.images import Arrays, ImageSet, Source
from normlab.data.sources import debian_package

RATE = 8000  # samples a second
WINDOW, HOP, BINS = 200, 160, 256  # samples: windows of 25 ms, one each 20 ms
BANDS, STEPS, EXCERPTS = 24, 25, 3
QUIETER = 6.0  # nats below a recording's loudest step, up to which it is speech
LEVELS = 10.0  # stored levels a nat, so that no last bit of a logarithm is left in them
SILENT = ("silence", "beep", "tone")  # recordings of no voice
# A voice a language; most recordings are phrases of a few words.
LANGUAGES = ("en", "es", "fr", "it", "ru")


def mel_filters(bands: int, bins: int, rate: int) -> np.ndarray:
    """Triangles (bands, bins // 2 + 1) over the frequencies of a Fourier transform, equally wide on the scale 2595·log₁₀(1 + f/700)."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    frequency = np.arange(bins // 2 + 1) * rate / bins
    slopes = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    return np.clip(np.minimum(*slopes), 0, None)


def log_mel(sound: np.ndarray) -> np.ndarray:
    """ln(1 + energy) of each band in each window, (bands, windows), of samples (T,)."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP] * np.hanning(WINDOW)
    energy = np.abs(np.fft.rfft(windows, BINS)) ** 2
    found: np.ndarray = np.log1p(energy @ mel_filters(BANDS, BINS, RATE).T).T
    return found


def excerpts(sound: np.ndarray, count: int) -> np.ndarray:
    """``count`` excerpts of half a second, uint8 (count, bands, 1, steps), at equal distances from where speech begins to where it ends;
    none of a shorter recording.

    A band's mean over an excerpt is taken away (what a microphone and a line add to every step); 0 is stored as 128.
    """
    none = np.empty((0, BANDS, 1, STEPS), dtype=np.uint8)
    if len(sound) < WINDOW:
        return none
    steps = log_mel(sound)
    loud = steps.mean(0)
    spoken = np.flatnonzero(loud > loud.max() - QUIETER)
    first, last = spoken[0], spoken[-1] + 1 - STEPS
    if last < first:
        return none
    starts = np.linspace(first, last, count).round().astype(int)
    cut = np.stack([steps[:, start : start + STEPS] for start in starts])
    centred = cut - cut.mean(2, keepdims=True)
    return np.clip(np.rint(128 + LEVELS * centred), 0, 255).astype(np.uint8)[:, :, None]


def read_sound(file: Path) -> np.ndarray:
    """The samples of a recording, 16 bits each, one channel."""
    with wave.open(str(file)) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2").astype(np.float64)


def read_voices(folders: list[Path]) -> Arrays:
    """Excerpts of all recordings below each folder, a class a folder, those of one recording in a row; every third recording is for
    testing.
    """
    parts: list[list[np.ndarray]] = [[], [], [], []]
    for label, folder in enumerate(folders):
        found = [
            excerpts(read_sound(file), EXCERPTS)
            for file in sorted(folder.rglob("*.wav"))
            if not any(word in file.relative_to(folder).as_posix() for word in SILENT)
        ]
        spoken = [each for each in found if len(each)]
        for where, testing in ((0, False), (2, True)):
            kept = [each for i, each in enumerate(spoken) if (i % 3 == 2) == testing]
            parts[where] += kept
            parts[where + 1].append(np.full(EXCERPTS * len(kept), label, dtype=np.uint8))
    return Arrays(*map(np.concatenate, parts))


def from_debian(folder: Path) -> Arrays:
    """The prompts of a telephone exchange, as packaged by Debian; a package a language, with one voice in each."""
    voices = []
    for language in LANGUAGES:
        place = folder / language
        place.mkdir()
        root = debian_package(f"asterisk-core-sounds-{language}-wav", place)
        voices += sorted((root / "usr/share/asterisk/sounds").iterdir())
    return read_voices(voices)


VOICES = ImageSet(
    name="voices",
    title="five voices",
    shape=(BANDS, 1, STEPS),
    classes=len(LANGUAGES),
    mean=(
        128,
        128.01,
        128.01,
        128.01,
        128.01,
        128.01,
        128.01,
        128.01,
        128,
        128,
        128,
        128,
        128,
        128,
        128,
        128,
        128,
        128,
        128,
        128,
        128,
        128,
        128,
        128,
    ),
    std=(
        23.181,
        29.236,
        31.045,
        31.388,
        31.71,
        32.597,
        32.569,
        32.496,
        32.715,
        32.029,
        31.229,
        31.18,
        30.889,
        30.227,
        30.314,
        30.641,
        30.658,
        30.186,
        30.454,
        31.323,
        31.412,
        31.722,
        30.908,
        29.568,
    ),
    together=EXCERPTS,
    on_request=True,
    digest="261c906c5963b1751bfe39b3705f291ba90c7f6b8eb3dd99fe3e6afdc3171437",
    sources=(Source("Debian asterisk-core-sounds-*-wav", from_debian),),
)

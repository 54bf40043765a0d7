"""Requests to the digits' endpoint: accepted formats, and the errors for rejected ones."""

import io
import json
import sys
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from tests.support.digits import make_digits

from mnist_tracking.errors import ConfigError, MissingDependencyError
from mnist_tracking.training.serving import input_fn

NPY, JSON, CSV, PNG, JPEG = "application/x-npy", "application/json", "text/csv", "image/png", "image/jpeg"
IMAGES, _ = make_digits(3, seed=5)
Pixels = np.ndarray[Any, np.dtype[Any]]


def npy(array: object, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), **settings)
    return buffer.getvalue()


def csv(images: Pixels) -> str:
    return "\n".join(",".join(map(str, image.ravel().tolist())) for image in images)


def picture(image: Image.Image | Pixels, form: str = "PNG", **settings: Any) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, form, **settings)
    return buffer.getvalue()


IMAGE = Image.fromarray(IMAGES[0])
SHAPES = [(28, 28), (1, 28, 28), (2, 28, 28), (3, 1, 28, 28)]
DTYPES = ["uint8", "int8", "<i2", ">i4", "uint64", "float16", ">f4", "float64"]


@given(st.data(), st.sampled_from(SHAPES), st.sampled_from(DTYPES), st.booleans())
def test_arrays_of_any_shape_dtype_and_order_are_decoded(
    data: st.DataObject, shape: tuple[int, ...], dtype: str, is_fortran: bool
) -> None:
    """As npy and as JSON, the decoded pixels equal the array."""
    highest = 127 if dtype == "int8" else 255
    whole = data.draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, highest), fill=st.just(0)))
    whole.flat[0] = 2  # floats that are all at most 1 would be rejected
    array = np.asarray(whole.astype(dtype), order="F" if is_fortran else "C")

    for body, content_type in ((npy(array), NPY), (json.dumps(array.tolist()), JSON)):
        tensor = input_fn(body, content_type)
        assert tensor.dtype.is_floating_point == ("f" in dtype)
        np.testing.assert_array_equal(tensor.numpy(), whole.reshape(-1, 1, 28, 28))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (npy(IMAGES), "Application/X-NPY"),
        (npy(IMAGES, allow_pickle=False), NPY),
        (npy(IMAGES / 255), f"{NPY}; scale=1"),
        (npy(IMAGES / 255.0), f'{NPY}; version=2; Scale="1"'),
        (npy(IMAGES), f"{NPY};scale=255"),
        (json.dumps(IMAGES.tolist()), f"{JSON}; charset=utf-8"),
        (json.dumps(IMAGES[:, None].tolist()).encode(), JSON),
        (csv(IMAGES), CSV),
        (csv(IMAGES).encode(), CSV),
        (csv(IMAGES.astype(float)).replace("\n", "\r\n") + "\r\n", CSV),
        (csv(IMAGES / 255), f"{CSV}; scale=1"),
    ],
)
def test_every_type_gives_the_same_pixels(body: bytes | str, content_type: str) -> None:
    """A body may be str or bytes; floats may be on either scale if the content type names it."""
    pixels = input_fn(body, content_type)

    assert pixels.shape == (len(IMAGES), 1, 28, 28)
    np.testing.assert_allclose(pixels.numpy(), IMAGES[:, None], rtol=1e-6)


@pytest.mark.parametrize(
    "body",
    [
        picture(IMAGES[0]),
        picture(IMAGE.convert("RGB")),
        picture(IMAGE.convert("RGBA")),
        picture(IMAGE.convert("LA")),
        picture(IMAGE.convert("P")),
        picture(IMAGES[0], interlace=1, optimize=True),
    ],
)
def test_a_png_gives_its_pixels(body: bytes) -> None:
    """Greyscale in any 8-bit mode."""
    pixels = input_fn(body, PNG)

    assert pixels.dtype == torch.uint8
    np.testing.assert_array_equal(pixels.numpy(), IMAGES[:1, None])


@pytest.mark.parametrize("image", [IMAGE, IMAGE.convert("RGB")])
def test_a_jpeg_gives_its_pixels_as_well_as_a_jpeg_can(image: Image.Image) -> None:
    """JPEG compression is slightly lossy."""
    pixels = input_fn(picture(image, "JPEG", quality=95), JPEG)

    assert pixels.dtype == torch.uint8
    np.testing.assert_allclose(pixels.numpy(), IMAGES[:1, None], atol=20)


def test_black_and_white_is_0_and_255() -> None:
    """A picture of one bit a pixel."""
    assert set(input_fn(picture(IMAGE.convert("1")), PNG).flatten().tolist()) == {0, 255}


def test_a_black_image_is_fine() -> None:
    """All zeros are the same on either scale, and small integers are what they are."""
    assert input_fn(npy(np.zeros((28, 28))), NPY).shape == (1, 1, 28, 28)
    assert input_fn(npy(np.eye(28, dtype=np.uint8)), NPY).max() == 1


def header(shape: object, descr: str = "|u1") -> bytes:
    """Return the head of an npy file, whatever it claims."""
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG of many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


REFUSED: list[tuple[bytes | str, str, str]] = [
    (npy(np.zeros((3, 27, 28), np.uint8)), NPY, r"have shape \(3, 27, 28\). Expected images"),
    (npy(np.zeros((2, 3, 28, 28), np.uint8)), NPY, r"have shape \(2, 3, 28, 28\)"),
    (npy(np.zeros((1, 1, 1, 28, 28), np.uint8)), NPY, r"have shape \(1, 1, 1, 28, 28\)"),
    (npy(np.zeros(784, np.uint8)), NPY, r"have shape \(784,\)"),
    (npy(np.uint8(3)), NPY, r"have shape \(\)"),
    (npy(np.zeros((0, 28, 28), np.uint8)), NPY, "The body contains no images"),
    (npy(np.full((28, 28), "7")), NPY, "have dtype <U1"),
    (npy(np.ones((28, 28), bool)), NPY, "have dtype bool"),
    (npy(np.ones((28, 28), complex)), NPY, "have dtype complex128"),
    (npy(np.zeros((28, 28), [("a", "u1")])), NPY, "have dtype"),
    (npy(np.full((28, 28), {}), allow_pickle=True), NPY, "have dtype object"),
    (npy(np.full((28, 28), 256)), NPY, "contain values from 256 to 256"),
    (npy(np.full((28, 28), -1.0)), NPY, "values from -1 to -1"),
    (npy(np.full((28, 28), np.nan)), NPY, "values from nan"),
    (npy(np.full((28, 28), np.inf)), NPY, "to inf"),
    (npy(IMAGES / 255), NPY, r"largest value is 1, so the scale .*'; scale=1' or '; scale=255'"),
    (npy(IMAGES), f"{NPY}; scale=1", r"values from 0 to 2\d\d"),
    (npy(IMAGES), f"{NPY}; scale=2", "has an invalid scale; expected 1 or 255"),
    (npy(IMAGES)[:-1], NPY, r"shape \(3, 28, 28\) and dtype uint8 takes 2352 bytes, but the body has 2351"),
    (npy(IMAGES) + b"\0", NPY, "but the body has 2353"),
    (header((1 << 40, 28, 28)) + b"\0", NPY, "bytes, but the body has 1\\."),
    (header((-1, -1, 28, 28)) + bytes(784), NPY, "bytes, but the body has 784"),
    (header("(" * 9000), NPY, "not valid application/x-npy"),
    (b"\x93NUMPY\x03\x00", NPY, r"version 3\.0 of the format is not supported"),
    (b"PK\x03\x04 an npz file", NPY, "the magic string is not correct"),
    (b"", NPY, "The body is empty. Expected images"),
    ("[[1, 2], [3]]", JSON, "not valid application/json"),
    ('{"instances": []}', JSON, "expected an array, found dict"),
    ("[" * 100_000, JSON, "too deeply nested"),
    (json.dumps(IMAGES.tolist())[:-1], JSON, "not valid application/json: Expecting"),
    (json.dumps([[True] + [3] * 27] * 28), JSON, "it contains values that are not numbers"),
    (json.dumps([[None] * 28] * 28), JSON, "it contains values that are not numbers"),
    (json.dumps([[10**30] * 28] * 28), JSON, "it contains values that are not numbers"),
    (json.dumps([[float("nan")] * 28] * 28), JSON, "values from nan"),
    (json.dumps(IMAGES.tolist()).encode("utf-16"), JSON, "can't decode"),
    ("[]", JSON, r"have shape \(0,\)"),
    ("1,2,3\n", CSV, "a line has 3 numbers, expected 784"),
    (csv(IMAGES) + "\n1,2", CSV, "not valid text/csv"),
    ("label," + csv(IMAGES), CSV, "could not convert string 'label'"),
    (csv(IMAGES).replace(",", ";"), CSV, "not valid text/csv"),
    ("# " + csv(IMAGES), CSV, "not valid text/csv"),
    (" \n", CSV, "it contains only whitespace"),
    (picture(IMAGE.resize((29, 28))), PNG, "the picture has 29x28 pixels"),
    (picture(IMAGE), JPEG, "it is not a complete JPEG picture"),
    (picture(Image.new("RGB", (28, 28), "red")), PNG, "has colours, expected greyscale"),
    (picture(Image.new("LA", (28, 28), (9, 254))), PNG, "has transparent pixels"),
    (picture(Image.new("L", (28, 28)), transparency=0), PNG, "has transparent pixels"),
    (picture(Image.new("I;16", (28, 28))), PNG, "has mode 'I;16', expected 8-bit greyscale"),
    (picture(Image.new("CMYK", (28, 28)), "JPEG"), JPEG, "has mode 'CMYK', expected 8-bit greyscale"),
    (picture(IMAGE, "GIF"), PNG, "it is not a complete PNG picture"),
    (picture(IMAGE)[:-40], PNG, "it is not a complete PNG picture"),
    (picture(IMAGE, "JPEG")[:-40], JPEG, "it is not a complete JPEG picture"),
    (bomb(10_000, 10_000), PNG, "pixels"),
    (bomb(50_000, 50_000), PNG, "far too many pixels"),
    (
        npy(IMAGES),
        "image/webp",
        "'image/webp' is not supported; expected one of application/x-npy, application/json, .*image/jpeg",
    ),
    (npy(IMAGES), "", "'' is not supported"),
]


@pytest.mark.parametrize(("body", "content_type", "message"), REFUSED, ids=range(len(REFUSED)))
def test_invalid_bodies_are_rejected(body: bytes | str, content_type: str, message: str) -> None:
    """The error is a ValueError in one line, and names what was expected."""
    with pytest.raises(ConfigError, match=message) as refused:
        input_fn(body, content_type)

    assert "\n" not in str(refused.value)


WHOLE = [
    (npy(IMAGES[0]), NPY),
    (json.dumps(IMAGES[0].tolist()).encode(), JSON),
    (csv(IMAGES[:1]).encode(), CSV),
    (picture(IMAGE), PNG),
    (picture(IMAGE, "JPEG"), JPEG),
]


@pytest.mark.filterwarnings("ignore")  # numpy and Pillow warn of some headers, and read them
@given(st.sampled_from(WHOLE), st.data())
def test_a_damaged_body_is_decoded_or_rejected(whole: tuple[bytes, str], data: st.DataObject) -> None:
    """Bytes are changed, removed or inserted, mostly near the header."""
    body, content_type = whole
    at = data.draw(st.integers(0, 150) | st.integers(0, len(body)))
    damaged = body[:at] + data.draw(st.binary(max_size=9)) + body[at + data.draw(st.integers(0, 9)) :]
    try:
        tensor = input_fn(damaged, content_type)
    except ConfigError:
        return
    assert tensor.shape[1:] == (1, 28, 28)
    assert 0 <= tensor.min() <= tensor.max() <= 255


@pytest.mark.filterwarnings("ignore")
@given(st.binary(), st.sampled_from([kind for _, kind in WHOLE]))
def test_random_bytes_are_rejected(body: bytes, content_type: str) -> None:
    """None of them is an image."""
    with pytest.raises(ConfigError):
        input_fn(body, content_type)


@pytest.mark.parametrize(("decode", "body"), [(PNG, picture(IMAGE)), (JPEG, picture(IMAGE, "JPEG"))])
def test_without_pillow_the_error_names_the_pip_command(
    monkeypatch: pytest.MonkeyPatch, decode: str, body: bytes
) -> None:
    """Other content types do not need Pillow."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(
        MissingDependencyError, match=r"^Pillow is not installed\. Run: pip install onnx onnxruntime pillow$"
    ):
        input_fn(body, decode)

    assert len(input_fn(npy(IMAGES), NPY)) == 3

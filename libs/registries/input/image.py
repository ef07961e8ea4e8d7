"""Reads an image reference from a request."""

from chassis.invalid_input import FieldProblem, InvalidInput
from registries.errors import InvalidReference
from registries.image_reference import ImageReference


def read_image(text: str, pointer: str = "/image") -> ImageReference:
    """The image that the text refers to. Raises `InvalidInput`."""
    try:
        return ImageReference.parse(text, pointer)
    except InvalidReference as error:
        raise InvalidInput((FieldProblem(error.pointer, error.code, error.detail),)) from None

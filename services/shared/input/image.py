"""An image as a value of a request."""

from shared.input.invalid import FieldProblem, InvalidInput
from shared.registries.errors import InvalidReference
from shared.registries.image_reference import ImageReference


def read_image(text: str, pointer: str = "/image") -> ImageReference:
    """The image of that reference. Raises `InvalidInput`."""
    try:
        return ImageReference.parse(text, pointer)
    except InvalidReference as error:
        raise InvalidInput((FieldProblem(error.pointer, error.code, error.detail),)) from None

"""What a pull secret is requested for, if the client names an image. Pure."""


def of_image(image: str) -> dict[str, object]:
    """Return the part of the request. Without tag and digest it is for the repository.

    Clients omit a tag that they know. regcred would read the text as the tag `latest` and record that.
    """
    if repository(image) == image:
        return {"repository": image}
    return {"images": [image]}


def repository(image: str) -> str:
    """The image without tag and digest, in the same spelling."""
    name = image.partition("@")[0]
    directory, slash, last = name.rpartition("/")
    return f"{directory}{slash}{last.partition(':')[0]}"

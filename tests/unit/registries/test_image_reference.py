"""Image references: cases from distribution/reference (`docs/reference/image-references.md`, "Grammar")."""

import pytest

from registries.errors import InvalidReference
from registries.image_reference import ImageReference

SHA = "sha256:" + "a" * 64
LONGEST = "/".join(["a" * 127, "b" * 127])


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("acme/shop", "docker.io/acme/shop:latest"),
        ("acme/team/shop", "docker.io/acme/team/shop:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
        ("registry-1.docker.io/library/nginx", "docker.io/library/nginx:latest"),
        ("registry.hub.docker.com/acme/shop", "docker.io/acme/shop:latest"),
        ("DOCKER.IO/acme/shop", "docker.io/acme/shop:latest"),
        ("docker.io:443/acme/shop", "docker.io/acme/shop:latest"),
        ("ghcr.io/acme/shop:v1", "ghcr.io/acme/shop:v1"),
        ("REG.io/x", "reg.io/x:latest"),
        ("reg.io:5000/x", "reg.io:5000/x:latest"),
        ("reg.io:5000/x:5000", "reg.io:5000/x:5000"),
        ("reg.io:443/x", "reg.io/x:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("myhost:5000/x", "myhost:5000/x:latest"),
        ("myhost/x", "docker.io/myhost/x:latest"),
        ("192.168.0.1", "docker.io/library/192.168.0.1:latest"),
        ("192.168.0.1/x", "192.168.0.1/x:latest"),
        ("reg.io:5000", "docker.io/library/reg.io:5000"),
        ("[2001:db8::1]:5000/x", "[2001:db8::1]:5000/x:latest"),
        ("[2001:DB8:0::1]/x", "[2001:db8::1]/x:latest"),
        (f"reg.io/x@{SHA}", f"reg.io/x@{SHA}"),
        (f"reg.io/x:t@{SHA}", f"reg.io/x:t@{SHA}"),
        ("reg.io/x@sha512:" + "0" * 128, "reg.io/x@sha512:" + "0" * 128),
        (f"nginx@{SHA}", f"docker.io/library/nginx@{SHA}"),
        ("reg.io/a_b/c__d/e-f/g---h/i.j", "reg.io/a_b/c__d/e-f/g---h/i.j:latest"),
        ("reg.io/x:_T-1.0", "reg.io/x:_T-1.0"),
        ("reg.io/x:" + "t" * 128, "reg.io/x:" + "t" * 128),
        (f"reg.io/{LONGEST}", f"reg.io/{LONGEST}:latest"),
        ("a" * 63, "docker.io/library/" + "a" * 63 + ":latest"),
        ("reg.io/" + "a" * 64, "reg.io/" + "a" * 64 + ":latest"),
        ("bücher.example/x", "xn--bcher-kva.example/x:latest"),
    ],
)
def test_spellings_of_a_reference_are_parsed_to_one_form(text: str, canonical: str) -> None:
    reference = ImageReference.parse(text)
    assert str(reference) == canonical
    assert ImageReference.parse(canonical) == reference


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_reference"),
        ("reg.io/x y", "invalid_reference"),
        ("reg.io/x\n", "invalid_reference"),
        ("reg.io/x\u200b", "invalid_reference"),
        ("x" * 1025, "invalid_reference"),
        ("https://reg.io/x", "scheme_not_allowed"),
        ("docker://reg.io/x", "scheme_not_allowed"),
        ("http://localhost:5000/x:1", "scheme_not_allowed"),
        ("a" * 64, "image_id"),
        ("0123456789abcdef" * 4, "image_id"),
        ("reg.io/X", "uppercase"),
        ("Nginx", "uppercase"),
        ("Acme/app", "uppercase"),
        ("reg.io/", "invalid_repository"),
        ("/x", "invalid_repository"),
        ("reg.io//x", "invalid_repository"),
        ("reg.io/x/", "invalid_repository"),
        ("reg.io/-x", "invalid_repository"),
        ("reg.io/x-", "invalid_repository"),
        ("reg.io/a..b", "invalid_repository"),
        ("reg.io/a___b", "invalid_repository"),
        ("reg.io/é", "invalid_repository"),
        ("reg.io/\u0661", "invalid_repository"),
        (f"reg.io/{LONGEST}c", "invalid_repository"),
        ("reg.io/x:", "invalid_tag"),
        ("reg.io/x:-t", "invalid_tag"),
        ("reg.io/x:t:u", "invalid_tag"),
        ("reg.io/x:" + "t" * 129, "invalid_tag"),
        ("reg.io/x:é", "invalid_tag"),
        ("reg.io/x@", "invalid_digest"),
        ("reg.io/x@sha256:abc", "invalid_digest"),
        ("reg.io/x@sha256:" + "A" * 64, "invalid_digest"),
        ("reg.io/x@md5:" + "a" * 32, "invalid_digest"),
        ("octo:hunter2@reg.io/x", "invalid_digest"),
        (f"reg.io/x@{SHA}@{SHA}", "invalid_digest"),
        ("reg.io:0/x", "invalid_host"),
        ("reg.io:99999/x", "invalid_host"),
        ("2001:db8::1/x", "invalid_host"),
        ("[2001:db8::1%25eth0]/x", "invalid_host"),
        ("127.1/x", "invalid_host"),
        ("-reg.io/x", "invalid_host"),
        ("*.gcr.io/x", "pattern_not_allowed"),
    ],
)
def test_an_invalid_reference_is_refused_with_a_reason(text: str, code: str) -> None:
    with pytest.raises(InvalidReference) as refused:
        ImageReference.parse(text, "/images/3")
    assert (refused.value.code, refused.value.pointer) == (code, "/images/3")
    assert "hunter2" not in refused.value.detail
    assert refused.value.detail


def test_a_reference_has_host_repository_tag_and_digest() -> None:
    reference = ImageReference.parse(f"reg.io:5000/acme/shop:1@{SHA}")
    assert reference == ImageReference(
        registry_host="reg.io:5000", repository="acme/shop", tag="1", digest=SHA
    )
    assert (ImageReference.parse("reg.io/x").tag, ImageReference.parse("reg.io/x").digest) == ("latest", None)
    assert ImageReference.parse(f"reg.io/x@{SHA}").tag is None

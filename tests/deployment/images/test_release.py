"""The release recipe: digests of the images of others, bills of materials, provenance, and files that name images by digest."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from infra.images.contents import locked as locked_libraries
from infra.release import base_images
from infra.release.__main__ import NotReleased, Release
from infra.release.base_images import NotLocked
from infra.release.deployment_files import BY_DIGEST, NotByDigest, check, images_of
from infra.release.image_contents import debian_packages
from tests.support.docker_registry import DockerRegistry
from tests.support.image_layout import write_image
from tests.support.images import IMAGES
from tests.support.manifests import FOLDER, KUBECTL
from tests.support.servers import ROOT, missing, program

COMMIT = "0" * 39 + "1"
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 Status: of another stanza

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: zlib1g
Status: install ok installed
Architecture: amd64
Version: 1:1.2.13.dfsg-1
"""
RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n'


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """A registry with an image for each tag of `.env.example`, in place of Docker Hub."""
    if program("skopeo") is None:
        missing("skopeo", "apt-get install skopeo")
    with DockerRegistry() as running:
        for tag in set(base_images.tags().values()):
            push(running, tag, tmp_path_factory.mktemp("base"), tag)
        yield running


def push(registry: DockerRegistry, tag: str, folder: Path, content: str) -> None:
    write_image(folder / "layout", files={"content": content})
    target = f"{registry.address}/{tag if '/' in tag else f'library/{tag}'}"
    command = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{folder}/layout:1"]
    subprocess.run([*command, f"docker://{target}"], check=True)


@pytest.fixture
def mirror(registry: DockerRegistry, monkeypatch: pytest.MonkeyPatch) -> DockerRegistry:
    monkeypatch.setenv("REGCRED_MIRROR", registry.address)
    monkeypatch.setenv("REGCRED_MIRROR_HTTP", "1")
    return registry


def served(registry: DockerRegistry, path: str, reference: str) -> httpx2.Response:
    kinds = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
    url = f"http://{registry.address}/v2/{path}/manifests/{reference}"
    return httpx2.get(url, headers={"Accept": kinds}, trust_env=False)


def test_the_lock_has_the_digest_of_each_tag_at_this_time(mirror: DockerRegistry, tmp_path: Path) -> None:
    lock = tmp_path / "base-images.lock"
    with pytest.raises(NotLocked, match="make lock-images"):
        base_images.locked(lock)
    base_images.write_lock(lock)
    first = base_images.locked(lock)
    assert set(first) == set(base_images.tags())
    for image in first.values():
        tag, _, digest = image.partition("@")
        path, _, version = (tag if "/" in tag else f"library/{tag}").rpartition(":")
        assert served(mirror, path, version).headers["Docker-Content-Digest"] == digest
    moved = base_images.tags()["GATEWAY_IMAGE"]
    push(mirror, moved, tmp_path, "another image under the same tag")
    assert base_images.locked(lock) == first
    base_images.write_lock(lock)
    assert base_images.locked(lock)["GATEWAY_IMAGE"] != first["GATEWAY_IMAGE"]


@pytest.mark.usefixtures("mirror")
def test_a_lock_of_other_images_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "base-images.lock"
    base_images.write_lock(lock)
    text = lock.read_text()
    for changed in (text.split("\n", 1)[1], text.replace("@sha256:", "@md5:"), ""):
        lock.write_text(changed)
        with pytest.raises(NotLocked):
            base_images.locked(lock)


def build(folder: Path, image: str, labels: dict[str, str]) -> None:
    files = {"var/lib/dpkg/status": STATUS, "etc/os-release": RELEASE, "app": image}
    named = {f"org.opencontainers.image.{name}": value for name, value in labels.items()}
    write_image(folder / image, files=files, labels=named)


@pytest.fixture
def release(mirror: DockerRegistry, tmp_path: Path) -> Release:
    if shutil.which("oras") is None:
        missing("oras", "go install oras.land/oras/cmd/oras@v1.2.3")
    return Release(
        registry=f"{mirror.address}/regcred",
        version="1.0.0",
        commit=COMMIT,
        source=f"oci:{tmp_path}/{{image}}:1",
        plain_http=True,
        folder=tmp_path / "release",
    )


def test_every_image_is_described_in_the_registry_and_deployed_by_digest(
    release: Release, mirror: DockerRegistry, tmp_path: Path
) -> None:
    lock = tmp_path / "base-images.lock"
    base_images.write_lock(lock)
    others = base_images.locked(lock)
    base = others["PYTHON_IMAGE"]
    names = [image.name for image in IMAGES]
    for image in names:
        build(tmp_path, image, {"revision": COMMIT, "base.name": base, "version": "1.0.0"})
    release.run(names, others)

    digests = {}
    for image in names:
        manifest = served(mirror, f"regcred/{image}", "1.0.0")
        digests[image] = manifest.headers["Docker-Content-Digest"]
        found = referrers(mirror, f"regcred/{image}", digests[image])
        bill = found["application/vnd.cyclonedx+json"]
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
        listed = {component["purl"] for component in bill["components"]}
        assert {one for one in listed if one.startswith("pkg:deb/")} == {
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12",
            "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64&distro=debian-12",
        }
        assert len(listed) > 2 or not locked_libraries(f"image-{image}")
        provenance = found["application/vnd.in-toto+json"]
        assert provenance["subject"] == [
            {
                "name": f"{mirror.address}/regcred/{image}:1.0.0",
                "digest": {"sha256": digests[image].removeprefix("sha256:")},
            }
        ]
        built = provenance["predicate"]["buildDefinition"]["resolvedDependencies"]
        assert {"name": "source", "digest": {"gitCommit": COMMIT}} in built
        tag, _, digest = base.partition("@sha256:")
        assert {"name": tag, "digest": {"sha256": digest}} in built
        runtime = sha256((ROOT / "requirements" / "runtime.lock").read_bytes()).hexdigest()
        assert {"name": "requirements/runtime.lock", "digest": {"sha256": runtime}} in built

    override = yaml.safe_load((release.folder / "compose.yml").read_text())
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert override["services"].keys() == services.keys()
    deployed = set(images_of(override))
    assert deployed == {
        *(
            f"{mirror.address}/regcred/{image}:1.0.0@{digest}"
            for image, digest in digests.items()
            if image in names
        ),
        *(image for variable, image in others.items() if variable != "PYTHON_IMAGE"),
    }

    shutil.copytree(FOLDER / "base", tmp_path / "base")
    (tmp_path / "kustomization.yaml").write_text("resources: [base]\ncomponents: [release/kubernetes]\n")
    rendered = subprocess.run([KUBECTL, "kustomize", tmp_path], capture_output=True, text=True, check=True)
    found_images = [image for one in yaml.safe_load_all(rendered.stdout) for image in images_of(one)]
    assert found_images
    assert not [image for image in found_images if not BY_DIGEST.fullmatch(image)]
    with pytest.raises(NotByDigest, match="haproxy"):
        check(list(yaml.safe_load_all((FOLDER / "base" / "gateway.yaml").read_text())))


def referrers(registry: DockerRegistry, path: str, digest: str) -> dict[str, Any]:
    """The documents that refer to an image, by their kind.

    The registry has no referrers route, so the index is the tag of the image's digest (OCI distribution 1.1).
    """
    index = served(registry, path, digest.replace(":", "-")).json()
    found = {}
    for entry in index["manifests"]:
        manifest = served(registry, path, entry["digest"]).json()
        assert manifest["subject"]["digest"] == digest
        [layer] = manifest["layers"]
        url = f"http://{registry.address}/v2/{path}/blobs/{layer['digest']}"
        found[manifest["artifactType"]] = httpx2.get(url, trust_env=False).json()
    return found


@pytest.mark.parametrize("wrong", ["revision", "base.name", "version"])
def test_an_image_that_was_built_from_something_else_is_not_pushed(
    wrong: str, release: Release, mirror: DockerRegistry, tmp_path: Path
) -> None:
    lock = tmp_path / "base-images.lock"
    base_images.write_lock(lock)
    others = base_images.locked(lock)
    labels = {"revision": COMMIT, "base.name": others["PYTHON_IMAGE"], "version": "1.0.0"}
    build(tmp_path, f"wrong-{wrong[:4]}", labels | {wrong: "something else"})
    with pytest.raises(NotReleased, match=f"the label {wrong} is 'something else'"):
        release.run([f"wrong-{wrong[:4]}"], others)
    assert served(mirror, f"regcred/wrong-{wrong[:4]}", "1.0.0").status_code == 404


def test_only_installed_packages_are_listed() -> None:
    assert [one.name for one in debian_packages(STATUS, "debian-12")] == ["libc6", "zlib1g"]
    assert debian_packages("", "debian") == ()

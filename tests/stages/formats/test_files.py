"""Reading and writing in a source tree that may contain hostile links."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from container_kit.stages.formats.files import (
    LinkError,
    LinkOutsideError,
    is_link,
    read_inside,
    remove_inside,
    rename_inside,
    write_inside,
)

SECRET = b"text of a file outside the tree"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(SECRET)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = (tmp_path / "tree").resolve()
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "src" / "deep" / "file").write_bytes(b"inside")
    return folder


def link(path: Path, target: Path | str) -> None:
    path.symlink_to(target)


def links_outside(root: Path, outside: Path) -> Iterator[str]:
    """Links that lead out of the tree, each made and named by its path."""
    link(root / "file", outside / "secret")
    yield "file"
    link(root / "folder", outside)
    yield "folder/secret"
    link(root / "relative", "../outside/secret")
    yield "relative"
    link(root / "src" / "up", "../../outside")
    yield "src/up/secret"
    link(root / "chain", "file")
    yield "chain"
    link(root / "dotted", f"{root}/../outside/secret")
    yield "dotted"
    sibling = root.parent / "tree-secrets"
    sibling.mkdir()
    (sibling / "secret").write_bytes(SECRET)
    link(root / "sibling", sibling / "secret")
    yield "sibling"


def test_a_link_that_leads_out_is_never_read(root: Path, outside: Path) -> None:
    for path in links_outside(root, outside):
        with pytest.raises(LinkOutsideError):
            read_inside(str(root), path, 1000)


@pytest.mark.parametrize("path", ["../outside/secret", "src/../../outside/secret", "src/deep/../../../outside/secret"])
@pytest.mark.usefixtures("outside")
def test_a_path_that_climbs_out_is_never_read(root: Path, path: str) -> None:
    with pytest.raises(LinkOutsideError):
        read_inside(str(root), path, 1000)


@pytest.mark.parametrize("target", ["src/deep/file", "./src/deep/../deep/file", "{root}/src/deep/file", "second"])
def test_a_link_that_stays_in_the_tree_is_read(root: Path, target: str) -> None:
    link(root / "second", "src/deep/file")
    link(root / "first", target.format(root=root))
    assert read_inside(str(root), "first", 1000) == b"inside"


def test_a_linked_folder_in_the_tree_is_read_through(root: Path) -> None:
    link(root / "alias", "src/deep")
    assert read_inside(str(root), "alias/file", 1000) == b"inside"


def test_a_loop_of_links_ends_with_an_error(root: Path) -> None:
    link(root / "a", "b")
    link(root / "b", "a")
    with pytest.raises(OSError, match="symbolic links") as error:
        read_inside(str(root), "a", 1000)
    assert error.value.errno == errno.ELOOP


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_only_regular_files_are_read_and_nothing_blocks(root: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(root / "odd")
    else:
        (root / "odd").mkdir()
    with pytest.raises(OSError, match=r"regular file|directory"):
        read_inside(str(root), "odd", 1000)


def test_a_large_file_is_read_up_to_one_byte_above_the_limit(root: Path) -> None:
    (root / "large").write_bytes(b"x" * 5000)
    assert len(read_inside(str(root), "large", 1000)) == 1001


def test_a_file_that_is_exchanged_for_a_link_while_it_is_read_never_shows_the_outside(
    root: Path, outside: Path
) -> None:
    """A second thread exchanges a folder for a link to the outside, over and over."""
    (root / "real").mkdir()
    (root / "real" / "secret").write_bytes(b"inside")
    link(root / "fake", outside)
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            for source in ("real", "fake"):
                (root / source).rename(root / "now")
                (root / "now").rename(root / source)

    thread = threading.Thread(target=exchange)
    thread.start()
    seen: set[bytes] = set()
    try:
        for _ in range(20_000):
            try:
                seen.add(read_inside(str(root), "now/secret", 1000))
            except OSError:
                continue
    finally:
        stop.set()
        thread.join()
    assert seen <= {b"inside"}


def test_a_file_is_written_with_its_folders(root: Path) -> None:
    write_inside(str(root), "new/folder/file", b"text")
    assert (root / "new/folder/file").read_bytes() == b"text"
    assert [path.name for path in (root / "new/folder").iterdir()] == ["file"]


def test_a_replaced_file_keeps_its_permissions(root: Path) -> None:
    (root / "run.sh").write_bytes(b"old")
    (root / "run.sh").chmod(0o750)
    write_inside(str(root), "run.sh", b"new")
    assert (root / "run.sh").stat().st_mode & 0o777 == 0o750


def test_a_file_that_exists_is_kept_unless_it_may_be_replaced(root: Path) -> None:
    with pytest.raises(FileExistsError):
        write_inside(str(root), "src/deep/file", b"new", replace=False)
    assert (root / "src/deep/file").read_bytes() == b"inside"
    assert [path.name for path in (root / "src/deep").iterdir()] == ["file"]


def test_nothing_is_written_through_a_link(root: Path, outside: Path) -> None:
    for path in links_outside(root, outside):
        with pytest.raises(LinkOutsideError):
            write_inside(str(root), path, b"overwritten")
        with pytest.raises(LinkOutsideError):
            write_inside(str(root), f"{path}/new", b"created")
    assert (outside / "secret").read_bytes() == SECRET
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_nothing_is_written_through_a_link_that_stays_in_the_tree(root: Path) -> None:
    link(root / "alias", "src/deep/file")
    with pytest.raises(LinkError):
        write_inside(str(root), "alias", b"overwritten")
    assert (root / "src/deep/file").read_bytes() == b"inside"


@pytest.mark.parametrize("name", [".file.new", ".file.tmp", ".file.draft"])
def test_links_at_guessable_draft_names_are_harmless(root: Path, outside: Path, name: str) -> None:
    link(root / name, outside / "secret")
    write_inside(str(root), "file", b"text")
    assert (outside / "secret").read_bytes() == SECRET


def test_a_link_is_removed_and_not_its_target(root: Path, outside: Path) -> None:
    link(root / "file", outside / "secret")
    assert is_link(str(root), "file")
    remove_inside(str(root), "file")
    assert (outside / "secret").read_bytes() == SECRET
    assert not (root / "file").is_symlink()


def test_nothing_is_removed_or_renamed_through_a_linked_folder(root: Path, outside: Path) -> None:
    link(root / "folder", outside)
    with pytest.raises(LinkError):
        remove_inside(str(root), "folder/secret")
    with pytest.raises(LinkError):
        rename_inside(str(root), "folder/secret", "moved")
    assert (outside / "secret").read_bytes() == SECRET


def test_removing_a_missing_file_is_not_an_error(root: Path) -> None:
    remove_inside(str(root), "absent/file")

"""Private files of a desk: copied at its start, so that only the user of its process may read them.

The State's programs read no private key that another user or group may access. Containers get such files otherwise: on
Kubernetes a Secret belongs to root and is readable by the group of the pod, and Compose mounts a file of the host with
its owner and mode. So each start copies them into memory that is the container's own.
"""

from __future__ import annotations

READER_KEY, READER_PASSPHRASE, KEY_ARCHIVE, KEY_PASSPHRASE = "reader.key", "reader.pass", "keys.tar", "keys.pass"
"""Key of a reader, a tar archive of a key folder, and the passphrases of both."""

FILES = (READER_KEY, READER_PASSPHRASE, KEY_ARCHIVE, KEY_PASSPHRASE)


def make_copy_script(source: str, target: str, files: tuple[str, ...] = FILES) -> str:
    """Return shell commands that copy the private files, whatever their owner and mode, and unpack the key folder.

    Args:
        source: Folder in which the container finds them.
        target: Folder that is made for the copies; one from an earlier start is replaced.
        files: Their names; the archive of the key folder is one of them.
    """
    copied = " ".join(f"{source}/{name}" for name in files if name != KEY_ARCHIVE)
    return (
        "umask 077\n"
        f"rm -rf {target}\n"
        f"mkdir -p {target}/keys\n"
        f"cp {copied} {target}\n"
        f"tar -x -f {source}/{KEY_ARCHIVE} -C {target}/keys --no-same-owner --no-same-permissions\n"
    )


def private_settings(folder: str) -> dict[str, str]:
    """Return the settings that name the copies in a folder."""
    return {
        "SHARING_READER_KEY": f"{folder}/{READER_KEY}",
        "SHARING_READER_PASSPHRASE_FILE": f"{folder}/{READER_PASSPHRASE}",
        "SHARING_KEY_FOLDER": f"{folder}/keys",
        "SHARING_KEY_PASSPHRASE_FILE": f"{folder}/{KEY_PASSPHRASE}",
    }

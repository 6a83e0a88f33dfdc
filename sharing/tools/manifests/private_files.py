"""Private files of a program: copied at its start, so that only the user of its process may read them.

The State's programs read no private key that another user or group may access. In a container such files are not that
private: on Kubernetes a Secret belongs to root and is readable by the group of the pod, and Compose mounts a file of
the host with its owner and mode. So each start copies them into memory that is the container's own.
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
        files: Their names.
    """
    copied = " ".join(f"{source}/{name}" for name in files if name != KEY_ARCHIVE)
    script = f"umask 077\nrm -rf {target}\nmkdir -p {target}/keys\ncp {copied} {target}\n"
    if KEY_ARCHIVE in files:
        script += f"tar -x -f {source}/{KEY_ARCHIVE} -C {target}/keys --no-same-owner --no-same-permissions\n"
    return script


def private_settings(folder: str) -> dict[str, str]:
    """Return the settings that name the copies in a folder."""
    return {**reader_settings(folder), **key_folder_settings(folder)}


def reader_settings(folder: str) -> dict[str, str]:
    """Return the settings that name the copy of the reader's key and its passphrase."""
    return {
        "SHARING_READER_KEY": f"{folder}/{READER_KEY}",
        "SHARING_READER_PASSPHRASE_FILE": f"{folder}/{READER_PASSPHRASE}",
    }


def key_folder_settings(folder: str) -> dict[str, str]:
    """Return the settings that name the copy of the key folder and its passphrase."""
    return {
        "SHARING_KEY_FOLDER": f"{folder}/keys",
        "SHARING_KEY_PASSPHRASE_FILE": f"{folder}/{KEY_PASSPHRASE}",
    }

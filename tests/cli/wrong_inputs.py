"""Wrong inputs of the commands: what is typed, the exit code, and what the one message must name.

`BAD/` stands for a folder with files that are each wrong in one way (`write_wrong_files`), `''` for an empty argument.
No row gets as far as writing anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

ID: Final = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
VALUE: Final = "secretvalue"
"""In each item: no message may contain it."""

ITEM: Final = {
    "id": ID, "type": "domain-name", "value": f"{VALUE}.example.nl", "form": "INFORMATION",
    "source": {"authority": "POLICE"}, "offence": {"codes": ["ILLEGAL_ACCESS"]},
}  # fmt: skip
CH: Final = "--state CH --agency fedpol"
AWAY: Final = "--bootstrap 127.0.0.1:1"
DESK: Final = f"desk --state CH {AWAY} --origin https://desk.example"
OFFICER: Final = f"--state CH --as o-17 --passphrase-file BAD/pass {AWAY}"


class Wrong(NamedTuple):
    """A wrong input.

    Attributes:
        command: The arguments.
        named: What the message must contain: the option, file, line or field, and what is expected.
        code: The exit code.
    """

    command: str
    named: tuple[str, ...]
    code: int = 2


def _states(command: str, option: str) -> list[Wrong]:
    return [Wrong(command.format(code), (f"{option} {code}:", "ISO 3166-1")) for code in ("ZZ", "C", "CHE", "../CH")]


def _times(command: str, option: str) -> list[Wrong]:
    texts = ("yesterday", "2026-01-01", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1767225600")
    return [Wrong(command.format(text), (f"{option} {text}:", "must be a time with a zone")) for text in texts]


def _numbers(command: str, option: str, *texts: str) -> list[Wrong]:
    return [Wrong(command.format(text), (option,)) for text in (*texts, "x", "1e3", "nan", "''")]


def _servers(command: str) -> list[Wrong]:
    texts = ("127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:-1", "a:1,,b:2", "http://a:9092", "::1", "[::1", "a:9092x")
    return [Wrong(f"{command} --bootstrap {text}", (f"--bootstrap '{text}'", "must be HOST:PORT")) for text in texts]


def _files(command: str, faults: dict[str, str], code: int = 2) -> list[Wrong]:
    return [
        Wrong(command.format(f"BAD/{name}"), (name.rpartition("/")[2], fault), code) for name, fault in faults.items()
    ]


NO_YAML: Final = {
    "none": "cannot be read", "folder": "cannot be read", "empty": "is empty", "binary": "is not UTF-8 text",
    "utf16": "is not UTF-8 text", "nul": "a character that it does not allow", "deep": "maximum nesting depth",
    "aliases": "an alias (*name) is not allowed", "cut": "is not YAML", "surrogate": "is not YAML",
    "item/x": "cannot be read",
}  # fmt: skip
UNREADABLE: Final = {
    "none": "cannot be read", "folder": "is a directory", "item/x": "Not a directory", "binary": "convert it to UTF-8",
    "utf16": "convert it to UTF-8", "nul": "is binary", "deep": "nested too deeply", "cut": "is not valid JSON",
    "list": "neither a MISP event nor a STIX object nor indicators",
}  # fmt: skip
WRONG_LINES: Final = {
    "nan": "NaN", "huge": "more than 64 bits", "surrogate": "surrogate", "types": "form", "iban": "value", "id": "id",
}  # fmt: skip
NO_RECEIPT: Final = {
    "empty": "is not a receipt",
    "item": "line 1 is not a line of a receipt",
    "folder": "name the receipt",
}
NO_FILE: Final = {"none": "cannot be", "folder": "cannot be"}
NO_STATEMENT: Final = {"empty": "is not JSON", "binary": "is not JSON", "deep": "is not JSON", "item": "canonical form"}
NO_PROOF: Final = dict.fromkeys(("empty", "binary", "deep", "item"), "is not a file that `sharing audit prove`")

WRONG: Final = (
    *_states("publish BAD/item --state {} --agency fedpol --dry-run", "--state"),
    *_states("subscribe {}", "STATE"),
    *_states("subscribe NL --from {}", "--from"),
    *_states("law explain BAD/item --state {}", "--state"),
    *_states("law explain BAD/item --state CH --to {}", "--to"),
    *_states("law questions {}", "STATE"),
    *(row for name in ("show", "test", "lint", "mutate") for row in _states(f"law {name} {{}}", "STATE")),
    *_states(f"asks list {AWAY} --state {{}}", "--state"),
    *_states(f"items list {AWAY} --state {{}}", "--state"),
    *_states(f"inbox list {AWAY} --state {{}}", "--state"),
    *_states(f"quarantine list {AWAY} --state {{}}", "--state"),
    *_states("topics list --states CH,{}", "--states"),
    *_states("trust remove {} --file BAD/pins", "STATE"),
    *_states(f"directory announce BAD/directory {AWAY} --state {{}}", "--state"),
    *_states("doctor --states CH,{} --bootstrap 127.0.0.1:1", "--states"),
    *_times("subscribe NL --since {}", "--since"),
    *_times("law explain BAD/item --state CH --at {}", "--at"),
    *_times(f"quarantine list --state CH {AWAY} --since {{}}", "--since"),
    *_numbers("topics list --partitions {}", "--partitions", "0", "-1", "99999999999999999999"),
    *_numbers(f"quarantine list --state CH {AWAY} --last {{}}", "--last", "-1"),
    *_numbers("top --once --url http://127.0.0.1:1 --interval {}", "--interval", "0", "61"),
    *_numbers("broker up --port {}", "--port", "-1", "70000"),
    *_numbers("keys init --state CH --root BAD/new --threshold {} --folder BAD/keys", "threshold", "0", "2"),
    *_servers(f"publish BAD/item {CH}"),
    *_servers("subscribe NL --once"),
    *_servers("asks list --state CH"),
    *_servers("topics apply --states CH"),
    *_servers("directory show"),
    *_servers("audit prove x --output BAD/new"),
    *_files(f"publish {{}} {CH} --dry-run", UNREADABLE),
    *_files(f"publish {{}} {CH} --dry-run", WRONG_LINES, 1),
    *_files(f"publish BAD/item {CH} --dry-run --profile {{}}", NO_YAML | {"folder": "is a directory"}),
    *_files(f"publish BAD/item {CH} {AWAY} --resume {{}}", NO_RECEIPT),
    *_files("law explain {} --state CH", UNREADABLE | WRONG_LINES | {"list": "is not a JSON object"}),
    *_files("law explain BAD/item --state CH --directory {}", NO_YAML),
    *_files("topics list --partners {}", NO_YAML),
    *_files(f"directory announce {{}} {AWAY}", NO_YAML),
    *_files("trust check BAD/item --file {}", {name: NO_YAML[name] for name in ("binary", "deep", "aliases", "cut")}),
    *_files("trust add {} --file BAD/new", NO_FILE),
    *_files("trust add {} --file BAD/new", NO_STATEMENT, 1),
    *_files("audit check-proof {} --trust-file BAD/pins", NO_FILE),
    *_files("audit check-proof {} --trust-file BAD/pins", NO_PROOF, 1),
    Wrong("publish '' --state CH --agency fedpol --dry-run", ("FILE '': must not be empty",)),
    Wrong(f"publish BAD/item {CH} --receipt ''", ("--receipt '': must not be empty",)),
    Wrong(f"publish BAD/item {CH} --receipt {'x' * 300}", ("x" * 100, "File name too long")),
    Wrong("publish BAD/item --state CH --agency '' --dry-run", ("agency must be a text of 1 to 512",)),
    Wrong("publish BAD/item --state CH --agency ' ' --dry-run", ("agency must have no space before or after",)),
    Wrong("publish BAD/item --state CH --agency 'fedpol ' --dry-run", ("agency must have no space before or after",)),
    Wrong("publish BAD/item --agency fedpol --dry-run", ("--state is missing", "SHARING_STATE")),
    Wrong(f"publish BAD/item {CH} --directory BAD/directory", ("--directory needs --dry-run",)),
    Wrong("subscribe NL --group ''", ("--group '': must not be empty",)),
    Wrong(f"subscribe NL --group {'g' * 300}", ("--group gggg", "1 to 200 letters")),
    Wrong("subscribe NL --group gr\udcffoup", ("--group", "must be text in UTF-8")),
    Wrong("subscribe NL --group a/b", ("--group a/b", "1 to 200 letters")),
    Wrong("subscribe NL --type domain", ("--type domain", "is not a type of indicator", "domain-name")),
    Wrong("subscribe NL --peek --group g", ("leave --group out",)),
    Wrong("law explain BAD/item", ("give --state CH, or set SHARING_STATE",)),
    Wrong("law explain BAD/item --state CH --hash 12", ("--hash 12:", "64 hexadecimal digits")),
    Wrong("law explain BAD/item --state CH --packs BAD/none", ("none",)),
    Wrong("law questions CH --directory BAD/directory", ("--directory needs FILE",)),
    Wrong("law sign '' --key BAD/pass", ("PACK '': must not be empty",)),
    Wrong(f"asks show gr\udcff {AWAY} --state CH", ("ASK", "must be text in UTF-8")),
    Wrong(f"asks list {AWAY} --state CH --kind NONE", ("--kind", "NONE")),
    Wrong(f"asks answer 018f3c1e MAYBE {OFFICER} --key BAD/item", ("MAYBE",)),
    Wrong(f"items list {AWAY} --state CH --delivery GONE", ("--delivery", "GONE")),
    Wrong(f"items correct {ID} {OFFICER} --key BAD/item --fact minor", ("--fact", "NAME=VALUE")),
    Wrong(f"items show {ID} --state CH --agency '' {AWAY}", ("--agency '': must not be empty",)),
    Wrong(f"items show '' --state CH {AWAY}", ("ITEM '': must not be empty",)),
    Wrong("doctor --certificates BAD/folder", ("--certificates needs --deep",)),
    Wrong("broker status --folder BAD/item", ("--folder", "item: is not a folder")),
    Wrong("broker down --folder BAD/item", ("--folder", "item: is not a folder")),
    Wrong("broker up --folder BAD/item", ("--folder", "item: is not a folder")),
    Wrong("subscribe NL --type ''", ("--type '': is not a type of indicator",)),
    Wrong(f"quarantine show 12 {AWAY} --state CH", ("ID 12: give at least 8 characters",)),
    Wrong(f"quarantine list {AWAY} --state CH --cause ''", ("--cause '': must not be empty",)),
    Wrong(f"quarantine list {AWAY}", ("--state is missing",)),
    Wrong(f"items list {AWAY}", ("give --state CH, or set SHARING_STATE",)),
    Wrong("keys show", ("give --folder FOLDER, or set SHARING_KEY_FOLDER",)),
    Wrong("keys rotate wrap --days 5 --folder BAD/keys", ("a wrapping key", "--days")),
    Wrong("keys issue --root BAD/item --token pkcs11:token=x --folder BAD/keys", ("keys", "has no root")),
    Wrong(f"partners revoke king.de {AWAY}", ("king.de", "`sharing topics acls`")),
    Wrong(f"partners leave DE {AWAY} --partners BAD/none", ("none", "cannot be read")),
    Wrong("keys show --folder ''", ("--folder '': must not be empty",)),
    Wrong("keys init --state CH --threshold 1 --root BAD/item --folder BAD/keys", ("item", "exists")),
    Wrong("keys issue --root BAD/none --role king --folder BAD/keys", ("--role", "king")),
    Wrong(f"desk --state CH {AWAY}", ("give --origin https://desk.example", "SHARING_DESK_ORIGIN")),
    Wrong(f"desk --state CH {AWAY} --origin https://10.0.0.1", ("--origin 'https://10.0.0.1'", "never an IP address")),
    Wrong(f"desk --state CH {AWAY} --origin http://desk.example", ("--origin 'http://desk.example'", "https://")),
    Wrong(f"{DESK} --host 0.0.0.0", ("0.0.0.0 can be reached", "--tls-certificate and --tls-key")),
    Wrong(f"{DESK} --tls-key BAD/item", ("TLS needs both",)),
    Wrong(f"{DESK} --agency A/B", ("--agency 'A/B'", "is not an agency's id")),
    Wrong(DESK, ("nobody could sign in", "SHARING_TRUST_FILE")),
    *_numbers(f"{DESK} --port {{}}", "--port", "0", "70000"),
    *_numbers(f"{DESK} --metrics-port {{}}", "--metrics-port", "0", "70000"),
    Wrong("top --once", ("give --url http://HOST:PORT, or set SHARING_WEB_PORT",)),
    Wrong("top --once --url ftp://a", ("--url 'ftp://a'", "http(s) URL")),
    Wrong("top --once --url http://127.0.0.1:99999", ("--url", "http(s) URL")),
    Wrong(f"top --once --url http://user:{VALUE}@127.0.0.1:1", ("--url", "user or password")),
    Wrong("top --once --url http://127.0.0.1:1", ("no worker answers at http://127.0.0.1:1",), 3),
    Wrong(f"publish BAD/item {CH} {AWAY}", ("no broker answers at 127.0.0.1:1",), 3),
    Wrong(f"topics apply --states CH {AWAY}", ("no broker answers at 127.0.0.1:1",), 3),
    Wrong("subscribe NL", ("give --bootstrap HOST:PORT, or set SHARING_BOOTSTRAP",)),
)


def write_wrong_files(folder: Path) -> None:
    """Write the files that the rows name into a new folder."""
    line = json.dumps(ITEM)
    texts = {
        "item": line, "empty": "", "list": "[1]", "cut": line[:60], "deep": "[" * 100_000,
        "aliases": "a: &a [x]\nb: [*a]\n", "nul": line.replace('"id"', '"\0id"'),
        "nan": line[:-1] + ', "observed_at": NaN}', "huge": line[:-1] + f', "version": 1{"0" * 5_000}}}',
        "surrogate": line.replace(VALUE, f"\\ud800{VALUE}"), "types": json.dumps({**ITEM, "form": ["INFORMATION"]}),
        "iban": json.dumps({**ITEM, "type": "iban"}), "id": json.dumps({**ITEM, "id": VALUE}),
        "directory": "entries: []\n", "pins": "format: 1\nroots: []\n", "pass": "0123456789abcdef0123456789abcdef\n",
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(f"{text}\n" if text.startswith("{") and name != "cut" else text)
    (folder / "binary").write_bytes(bytes(range(128, 256)) * 4)
    (folder / "utf16").write_bytes(line.encode("utf-16"))
    (folder / "folder").mkdir()
    (folder / "pass").chmod(0o600)

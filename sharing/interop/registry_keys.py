"""Registry keys that exist on every Windows system. Feeds often name one; only what is set in it is specific.

The list contains keys in which malware sets values (MITRE ATT&CK T1112, T1547, T1546, T1562), and is not complete: a
key that is not on it is published.
"""

from __future__ import annotations

import re
from typing import Final

COMMON_KEY_REASON: Final = (
    "the key exists on every Windows system; what is set in it would be the indicator, and no type covers that"
)
"""Why such a key is not published."""

_WINDOWS = r"software\microsoft\windows\currentversion"
_NT = r"software\microsoft\windows nt\currentversion"
_CONTROL = r"system\currentcontrolset\control"
_SERVICES = r"system\currentcontrolset\services"

_COMMON_KEYS = (
    rf"{_WINDOWS}\run", rf"{_WINDOWS}\runonce", rf"{_WINDOWS}\runonceex", rf"{_WINDOWS}\runservices",
    rf"{_WINDOWS}\runservicesonce", rf"{_WINDOWS}\app paths", rf"{_WINDOWS}\uninstall",
    rf"{_WINDOWS}\shellserviceobjectdelayload", rf"{_WINDOWS}\shell extensions\approved",
    rf"{_WINDOWS}\explorer\advanced", rf"{_WINDOWS}\explorer\browser helper objects",
    rf"{_WINDOWS}\explorer\fileexts", rf"{_WINDOWS}\explorer\shell folders",
    rf"{_WINDOWS}\explorer\sharedtaskscheduler", rf"{_WINDOWS}\explorer\shellexecutehooks",
    rf"{_WINDOWS}\explorer\shelliconoverlayidentifiers", rf"{_WINDOWS}\explorer\startupapproved\run",
    rf"{_WINDOWS}\explorer\user shell folders", rf"{_WINDOWS}\policies\explorer\run", rf"{_WINDOWS}\policies\system",
    rf"{_WINDOWS}\internet settings\zonemap", rf"{_WINDOWS}\internet settings\zones",
    rf"{_WINDOWS}\internet settings\5.0\user agent\post platform", rf"{_WINDOWS}\group policy\scripts",
    rf"{_WINDOWS}\authentication\credential providers", rf"{_WINDOWS}\windowsupdate\auto update",
    rf"{_NT}\winlogon\notify", rf"{_NT}\winlogon\userinit", rf"{_NT}\winlogon\shell", rf"{_NT}\windows",
    rf"{_NT}\image file execution options", rf"{_NT}\silentprocessexit", rf"{_NT}\schedule\taskcache\tasks",
    rf"{_NT}\schedule\taskcache\tree", rf"{_NT}\svchost", rf"{_NT}\drivers32", rf"{_NT}\profilelist",
    rf"{_NT}\appcompatflags\layers", rf"{_NT}\appcompatflags\custom", rf"{_NT}\appcompatflags\installedsdb",
    rf"{_NT}\terminal server\install\software\microsoft\windows\currentversion\run", rf"{_NT}\networklist\profiles",
    rf"{_CONTROL}\lsa", rf"{_CONTROL}\lsa\osconfig", rf"{_CONTROL}\session manager\appcertdlls",
    rf"{_CONTROL}\session manager\environment", rf"{_CONTROL}\session manager\knowndlls",
    rf"{_CONTROL}\session manager\memory management", rf"{_CONTROL}\print\monitors",
    rf"{_CONTROL}\safeboot\minimal", rf"{_CONTROL}\safeboot\network", rf"{_CONTROL}\securityproviders\wdigest",
    rf"{_CONTROL}\terminal server\winstations\rdp-tcp", rf"{_CONTROL}\nls\language", rf"{_CONTROL}\keyboard layouts",
    rf"{_CONTROL}\computername\computername", rf"{_CONTROL}\timezoneinformation", rf"{_CONTROL}\filesystem",
    rf"{_SERVICES}\tcpip\parameters\interfaces", rf"{_SERVICES}\lanmanserver\parameters",
    rf"{_SERVICES}\sharedaccess\parameters\firewallpolicy\firewallrules",
    rf"{_SERVICES}\sharedaccess\parameters\firewallpolicy\standardprofile\authorizedapplications\list",
    rf"{_SERVICES}\winsock2\parameters\protocol_catalog9", rf"{_SERVICES}\w32time\timeproviders",
    rf"{_SERVICES}\disk\enum", rf"{_SERVICES}\eventlog\application", rf"{_SERVICES}\netlogon\parameters",
    r"software\classes\clsid", r"software\classes\mscfile\shell\open\command",
    r"software\classes\ms-settings\shell\open\command", r"software\classes\exefile\shell\open\command",
    r"software\classes\*\shell", r"software\classes\directory\shell", r"software\classes\interface",
    r"software\classes\typelib", r"software\classes\wow6432node\clsid",
    r"software\microsoft\active setup\installed components", r"software\microsoft\command processor",
    r"software\microsoft\cryptography", r"software\microsoft\internet explorer\main",
    r"software\microsoft\internet explorer\toolbar", r"software\microsoft\internet explorer\searchscopes",
    r"software\microsoft\netsh", r"software\microsoft\office\common", r"software\microsoft\ole",
    r"software\microsoft\powershell", r"software\microsoft\security center",
    r"software\microsoft\systemcertificates\root\certificates", r"software\microsoft\windows defender\exclusions\paths",
    r"software\microsoft\windows defender\exclusions\extensions",
    r"software\microsoft\windows defender\exclusions\processes",
    r"software\microsoft\windows defender\real-time protection", r"software\microsoft\windows script host\settings",
    r"software\microsoft\windows\windows error reporting\hangs", r"software\microsoft\windows\dwm",
    r"software\microsoft\windows\shell\bags", r"software\microsoft\windows\shellnoroam\muicache",
    r"software\policies\microsoft\windows defender\real-time protection",
    r"software\policies\microsoft\windows\powershell\scriptblocklogging",
    r"software\policies\microsoft\windows\system", r"software\policies\microsoft\windows\windowsupdate\au",
    r"software\policies\google\chrome\extensioninstallforcelist", r"control panel\desktop", r"environment",
    r"hardware\description\system\bios", r"hardware\description\system\centralprocessor\0",
)  # fmt: skip

_CONTROL_SET = re.compile(r"^system\\controlset[0-9]{3}(?=\\|$)")
_USER = re.compile(r"^(?:s-1(?:-[0-9]+)+(?:_classes)?|\.default)(?:\\|$)")
_CLASSES_HIVE, _USERS_HIVE = "hkey_classes_root", "hkey_users"


def _list_with_parents(keys: tuple[str, ...]) -> frozenset[str]:
    elements = [key.split("\\") for key in keys]
    return frozenset("\\".join(parts[:length]) for parts in elements for length in range(1, len(parts) + 1))


_KEYS = _list_with_parents(_COMMON_KEYS)


def is_common_registry_key(key: str) -> bool:
    """Return whether a registry key exists on every Windows system, so that it alone indicates nothing.

    Args:
        key: The key in normal form, with its hive in full.
    """
    hive, _, path = key.lower().partition("\\")
    if hive == _CLASSES_HIVE:
        path = rf"software\classes\{path}"
    if hive == _USERS_HIVE:
        path = _USER.sub("", path)
    path = _CONTROL_SET.sub(r"system\\currentcontrolset", path)
    path = path.replace(r"software\wow6432node", "software", 1)
    return not path or path in _KEYS

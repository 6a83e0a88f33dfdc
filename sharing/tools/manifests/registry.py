"""The configuration of the Schema Registry of the compose trial: Apicurio, with TLS, and a password for every user.

Clients look schemas up as `reader`; only the service that creates the topics may register any, as `writer`.
"""

from __future__ import annotations

from collections.abc import Mapping

HOST = "registry"
"""Host name of the registry in the compose network and in its certificate."""

PORT = 8443
SECRETS = "/run/secrets"
PROPERTIES_FILE = "registry.properties"

SECRET_FILES = (PROPERTIES_FILE, f"{HOST}.pem", f"{HOST}.key")
"""The files that the registry reads at start."""

READER, WRITER = "reader", "writer"
_ROLES = {READER: "sr-readonly", WRITER: "sr-admin"}


def password_file(user: str) -> str:
    """Return the name of the file with a user's password."""
    return f"registry-{user}-password"


def render_registry_properties(passwords: Mapping[str, str], secrets: str = SECRETS, port: int = PORT) -> str:
    """Return the text of the registry's properties file, which contains the passwords.

    Args:
        passwords: Password of each user, of letters, digits, `-` and `_`.
        secrets: Folder with the registry's certificate and key.
        port: Port of its API.
    """
    properties = {
        "quarkus.http.insecure-requests": "disabled",
        "quarkus.http.ssl-port": str(port),
        "quarkus.http.ssl.certificate.files": f"{secrets}/{HOST}.pem",
        "quarkus.http.ssl.certificate.key-files": f"{secrets}/{HOST}.key",
        "quarkus.http.auth.basic": "true",
        "quarkus.security.users.embedded.plain-text": "true",
        **{f"quarkus.security.users.embedded.users.{user}": password for user, password in passwords.items()},
        **{f"quarkus.security.users.embedded.roles.{user}": _ROLES[user] for user in passwords},
        "apicurio.auth.role-based-authorization": "true",
    }
    return "".join(f"{key}={value}\n" for key, value in properties.items())

"""How an edge and this process know each other."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Access:
    """Where the edge is, and what this process shows to be let in. See AsyncServer."""

    address: str
    credentials: grpc.ChannelCredentials | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    token: str | None = None
    token_file: str | None = None

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together")
        if self.token is not None and self.token_file is not None:
            raise ValueError("token or token_file, not both")
        if self.credentials is not None and self.files:
            raise ValueError("credentials, or the files to make them of")
        bearer = self.token is not None or self.token_file is not None
        if bearer and self.credentials is None and not self.files and not _loopback(self.address):
            raise ValueError(
                "a token is sent over TLS only, or everybody on the way could read it: "
                "give ca_file or credentials"
            )

    @property
    def files(self) -> bool:
        """TLS is made of files, which may have changed at the next connection."""
        return self.ca_file is not None or self.cert_file is not None

    def channel(self, options: list[tuple[str, Any]]) -> grpc.aio.Channel:
        """A channel to the edge; nothing is dialled yet.

        Raises:
            OSError: A file cannot be read.
        """
        credentials = self.credentials
        if self.files:
            ca, cert, key = (
                Path(file).read_bytes() if file is not None else None
                for file in (self.ca_file, self.cert_file, self.key_file)
            )
            credentials = grpc.ssl_channel_credentials(ca, key, cert)
        if credentials is None:
            return grpc.aio.insecure_channel(self.address, options=options)
        return grpc.aio.secure_channel(self.address, credentials, options=options)

    def metadata(self) -> Metadata | None:
        """What goes with a call.

        Raises:
            OSError: The file of the token cannot be read.
        """
        token = self.token
        if self.token_file is not None:
            token = Path(self.token_file).read_text().strip()
        return None if token is None else (("authorization", f"Bearer {token}"),)


def _loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost" or address.startswith("unix:"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

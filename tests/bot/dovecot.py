"""A real IMAP server for the tests: Debian's Dovecot in a temporary folder, on free loopback ports, Maildir.

It never runs as root: as root it is started as `nobody`, otherwise as whoever runs the tests.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from imapclient import IMAPClient

from tests.journeys.service import free_port

USER = "desk"
PASSWORD = "correct-horse"
_PROGRAM = Path("/usr/sbin/dovecot")
_START_SECONDS = 30.0

_CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
disable_plaintext_auth = no
auth_failure_delay = 0
auth_mechanisms = plain login {more_mechanisms}
ssl = yes
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/key.pem
mail_location = maildir:{folder}/mail/%u
mailbox_list_index = no
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
"""
_OAUTH = """\
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth
}}
"""


class Dovecot:
    """A running server with one user; it ends with the tests."""

    def __init__(self, token_check_url: str = "") -> None:
        assert _PROGRAM.exists(), "Dovecot is missing: script/test installs Debian's package `dovecot-imapd`"
        self.folder = Path(tempfile.mkdtemp(prefix="careconcerns-dovecot-"))
        self.port, self.tls_port = free_port(), free_port()
        self.mail = self.folder / "mail" / USER
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self._process: subprocess.Popen[bytes] | None = None
        self._write_configuration(token_check_url)
        self.own()
        self.start()

    def _write_configuration(self, token_check_url: str) -> None:
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir()
        write_certificate(self.folder)
        (self.folder / "users").write_text(f"{USER}:{PASSWORD}\n")
        group = subprocess.run(
            ["id", "-gn", self._account.pw_name], capture_output=True, text=True, check=True
        ).stdout.strip()
        text = _CONFIGURATION + (_OAUTH if token_check_url else "")
        filled = text.format(
            folder=self.folder,
            user=self._account.pw_name,
            group=group,
            port=self.port,
            tls_port=self.tls_port,
            more_mechanisms="xoauth2" if token_check_url else "",
        )
        (self.folder / "dovecot.conf").write_text(filled)
        (self.folder / "oauth").write_text(
            f"tokeninfo_url = {token_check_url}\nusername_attribute = email\nusername_format = %Lu\n"
        )

    def own(self) -> None:
        """Make everything in its folder its own: what a test wrote as root is not."""
        if os.geteuid() != 0:
            return
        for found in [self.folder, *self.folder.rglob("*")]:
            os.chown(found, self._account.pw_uid, self._account.pw_gid)

    @property
    def certificate(self) -> Path:
        """The certificate that the server shows, which signed itself."""
        return self.folder / "certificate.pem"

    def start(self) -> None:
        """Start, and wait until it answers."""
        other = ["--reuid", str(self._account.pw_uid), "--regid", str(self._account.pw_gid), "--clear-groups"]
        drop = other if os.geteuid() == 0 else []
        self._process = subprocess.Popen(
            ["setpriv", *drop, "--pdeathsig", "TERM", _PROGRAM, "-F", "-c", self.folder / "dovecot.conf"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.client().logout()
            except OSError:
                assert self._process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop it, with every connection: a process that serves one outlives its master otherwise."""
        if self._process is None:
            return
        group = self._process.pid
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        self._process = None

    def close(self) -> None:
        """Stop it and clear the folder away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What it said."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else "Dovecot wrote no log"

    def client(self) -> IMAPClient:
        """A logged-in connection, to play a person who uses the mailbox."""
        client = IMAPClient("127.0.0.1", self.port, ssl=False, timeout=20)
        client.login(USER, PASSWORD)
        return client

    def append(
        self,
        mails: Iterable[bytes],
        *,
        folder: str = "INBOX",
        flags: tuple[bytes, ...] = (),
        at: datetime | None = None,
    ) -> None:
        """Put mails into the folder, as if they had come at that time."""
        with self.client() as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            for mail in mails:
                client.append(folder, mail, flags=flags, msg_time=at)

    def deliver(self, mails: Iterable[bytes]) -> None:
        """Put many mails into INBOX quickly, as a delivery agent does: as files."""
        self.uids()
        for number, mail in enumerate(mails):
            (self.mail / "new" / f"{1_700_000_000 + number}.M{number:06d}.test").write_bytes(mail)
        self.own()

    def uids(self, folder: str = "INBOX") -> list[int]:
        """What lies in the folder."""
        with self.client() as client:
            if not client.folder_exists(folder):
                return []
            client.select_folder(folder, readonly=True)
            return list(client.search())

    def change_uidvalidity(self) -> None:
        """Forget every number that INBOX ever gave, as a restored or moved mailbox does."""
        self.stop()
        for path in [*self.mail.glob("dovecot*")]:
            path.unlink()
        self.start()

    def mail_file(self, number: int) -> Path:
        """The file of the mail at that place of INBOX, the oldest first."""
        return sorted([*(self.mail / "cur").iterdir(), *(self.mail / "new").iterdir()])[number]


def write_certificate(folder: Path) -> None:
    """Write certificate.pem, for `localhost` and signed by itself, and key.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(pem)

#!/usr/bin/env python3
"""Verify a bundle of records exported by mailer: python3 verify_export.py FOLDER [--key PUBLIC_KEY]

Stands alone: Python 3.8 or newer, and either the package `cryptography` or the program `openssl` (3.0 or newer). It believes
nothing in the folder: it hashes every record anew (RFC 6962), joins them with the hashes of the manifest, and compares the root
with the signed checkpoint. What it cannot know is whose key signed: without --key it shows the key, and you compare it with the one
that the office gave you.

Exit code: 0 the bundle is whole, 1 it is not, 2 it cannot be verified.
"""

import argparse
import base64
import binascii
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FORMAT = "mailer-bundle-1"
SUITE = "suite ed25519-rfc6962-sha256"
DASH = "\u2014 "
# A DER header that turns 32 bytes of an Ed25519 public key into a SubjectPublicKeyInfo (RFC 8410).
DER_HEADER = bytes.fromhex("302a300506032b6570032100")


class Broken(Exception):
    """The bundle is not what was once written."""


class Unable(Exception):
    """Nothing can be said of it."""


def main():
    parser = argparse.ArgumentParser(description="Verify a bundle of records exported by mailer.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", help="the office's public key, name+id+base64, as `mailer check` or the officer's letters show it")
    asked = parser.parse_args()
    try:
        said = verify(asked.folder, asked.key)
    except Broken as why:
        print("TAMPERED:", why)
        return 1
    except (Unable, OSError) as why:
        print("CANNOT VERIFY:", why)
        return 2
    for line in said:
        print(line)
    return 0


def verify(folder, trusted=None):
    manifest = read_manifest(folder)
    key_text = trusted or manifest["public_key"]
    size, root = read_checkpoint(folder, manifest, key_text)
    first, last = manifest["first"], manifest["last"]
    if not (isinstance(first, int) and isinstance(last, int) and 1 <= first <= last + 1 and last <= size == manifest["size"]):
        raise Broken("the manifest speaks of other records than the checkpoint")
    edge = left_edge(manifest["left"], first - 1)
    shown = withheld = 0
    digest = hashlib.sha256()
    seq = first - 1
    with (folder / "records.jsonl").open("rb") as lines:
        for line in lines:
            digest.update(line)
            seq += 1
            leaf, whole = read_record(line, seq)
            push(edge, 1, leaf)
            shown, withheld = shown + whole, withheld + (not whole)
    if seq != last:
        raise Broken(f"record {seq + 1} is missing: the list ends before it" if seq < last else "there are records too many")
    for one in manifest["right"]:
        push(edge, one["leaves"], from_hex(one["root"]))
    if sum(leaves for leaves, _ in edge) != size or joined(edge) != root:
        raise Broken("the records do not lead to the root that was signed")
    if digest.hexdigest() != manifest["records_sha256"] or shown != manifest["shown"]:
        raise Broken("records.jsonl is not the file that the manifest tells of")
    return [
        f"OK: records {first} to {last} of {size}, {shown} shown in full, {withheld} with their headers alone",
        "signed by " + key_text + ("" if trusted else " (from the bundle itself: compare it with the key you were given)"),
    ]


def read_manifest(folder):
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except ValueError:
        raise Unable("manifest.json is no JSON") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise Unable("this is no bundle of the format " + FORMAT)
    return manifest


def read_record(line, seq):
    """Its leaf, and whether it is shown in full."""
    try:
        record = json.loads(line)
        header = record["header"].encode()
        if "details" in record:
            rest = hashlib.sha256(from_hex(record["nonce"]) + record["details"].encode()).digest()
        else:
            rest = from_hex(record["details_hash"])
        told = json.loads(header)["seq"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Broken(f"record {seq} cannot be read") from None
    if record["seq"] != seq or told != seq:
        raise Broken(f"record {seq} is missing, or not in its place")
    return hashlib.sha256(b"\x00" + header + rest).digest(), "details" in record


def from_hex(text):
    try:
        raw = bytes.fromhex(text)
    except (ValueError, TypeError):
        raise Broken("a hash in it is none") from None
    return raw


def left_edge(hashes, size):
    """The full subtrees of the records before the first: one for each bit of their number, largest first."""
    leaves = [1 << bit for bit in range(size.bit_length() - 1, -1, -1) if size >> bit & 1]
    if len(leaves) != len(hashes):
        raise Broken("the manifest's hashes do not fit the number of records before the first")
    return [(count, from_hex(text)) for count, text in zip(leaves, hashes)]


def push(edge, leaves, subtree):
    """Append a full subtree on the right; two of one size become one (RFC 6962, 2.1)."""
    while edge and edge[-1][0] == leaves:
        _, left = edge.pop()
        subtree = hashlib.sha256(b"\x01" + left + subtree).digest()
        leaves *= 2
    if edge and edge[-1][0] < leaves:
        raise Broken("a hash of the manifest does not fit its place")
    edge.append((leaves, subtree))


def joined(edge):
    if not edge:
        return hashlib.sha256(b"").digest()
    root = edge[-1][1]
    for _, left in reversed(edge[:-1]):
        root = hashlib.sha256(b"\x01" + left + root).digest()
    return root


def read_checkpoint(folder, manifest, key_text):
    """Size and root of the checkpoint, once its signature holds (C2SP signed-note)."""
    note = (folder / "checkpoint.note").read_bytes().decode("utf-8")
    text, gap, below = note.rpartition("\n\n")
    lines = text.split("\n")
    if not gap or len(lines) < 4 or lines[0] != manifest["origin"] or SUITE not in lines:
        raise Broken("checkpoint.note is no checkpoint of this office")
    name, key_id, key = read_key(key_text)
    for line in below.splitlines():
        if line.startswith(DASH) and line[len(DASH) :].partition(" ")[0] == name:
            raw = decoded(line[len(DASH) :].partition(" ")[2])
            if raw[:4] == key_id:
                if not holds(key, (text + "\n").encode("utf-8"), raw[4:]):
                    raise Broken("the signature of checkpoint.note does not hold")
                if not re.fullmatch("[0-9]{1,19}", lines[1]):
                    raise Broken("checkpoint.note tells no size")
                return int(lines[1]), decoded(lines[2])
    raise Broken("checkpoint.note is not signed by " + key_text)


def read_key(text):
    """name+id+base64 of 0x01 and 32 bytes."""
    parts = text.split("+", 2)
    raw = decoded(parts[2]) if len(parts) == 3 else b""
    if len(raw) != 33 or raw[:1] != b"\x01":
        raise Unable("this is no public key: " + text)
    key_id = hashlib.sha256(parts[0].encode() + b"\n" + raw).digest()[:4]
    if key_id.hex() != parts[1]:
        raise Unable("the public key's id is not that of the key")
    return parts[0], key_id, raw[1:]


def decoded(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Broken("something in it that should be base64 is not") from None


def holds(key, text, signature):
    """Whether this Ed25519 signature (RFC 8032) is one of the text."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return holds_by_openssl(key, text, signature)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def holds_by_openssl(key, text, signature):
    with tempfile.TemporaryDirectory() as folder:
        parts = {"key.der": DER_HEADER + key, "text": text, "signature": signature}
        for name, content in parts.items():
            (Path(folder) / name).write_bytes(content)
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER"]
        command += ["-inkey", "key.der", "-in", "text", "-sigfile", "signature"]
        try:
            found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise Unable("neither the Python package cryptography nor the program openssl is there") from None
    said = found.stdout + found.stderr
    if found.returncode != 0 and "Signature Verification Failure" not in said:
        raise Unable("openssl could not verify: " + said.strip())
    return found.returncode == 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Verify a bundle of records exported by mailer: python3 verify_export.py FOLDER [--key PUBLIC_KEY]

Stands alone: Python 3.8 or newer, and either the package `cryptography` or the program `openssl` (3.0 or newer). It believes
nothing in the folder: it hashes every record anew (RFC 6962), joins them with the hashes of the manifest, and compares the root
with the signed checkpoint. What it cannot know is whose key signed: without --key it shows the key, and you compare it with the one
that the office gave you. An older key of the office will do: keys.json shows how others came after it. Where one of them was only
declared lost, nobody but you can say whether the next one is the office's: ask the office, and give that one.

Exit code: 0 the bundle is whole, 1 it is not, 2 it cannot be verified, 3 it is whole, but a key was declared lost, and you did not
name one that came after it.
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
IN_KEYS = "a checkpoint in keys.json"
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
        code, said = verify(asked.folder, asked.key)
    except Broken as why:
        code, said = 1, [f"TAMPERED: {why}"]
    except (Unable, OSError) as why:
        code, said = 2, [f"CANNOT VERIFY: {why}"]
    for line in said:
        print("".join(one if one.isprintable() else "?" for one in line))
    return code


def verify(folder, trusted=None):
    """The exit code, and what is to be said."""
    manifest = read_manifest(folder)
    key_text = manifest["public_key"]
    size, root = read_note((folder / "checkpoint.note").read_bytes(), manifest, key_text)
    steps = read_steps(folder, manifest, size, root)
    doubted = doubts(steps, key_text, trusted)
    first, last = manifest["first"], manifest["last"]
    if not (isinstance(first, int) and isinstance(last, int) and 1 <= first <= last + 1 and last <= size == manifest["size"]):
        raise Broken("the manifest speaks of other records than the checkpoint")
    edge = left_edge(manifest["left"], first - 1)
    shown, digest = read_records(folder, edge, first, last)
    lead_on(edge, manifest["right"], size, root, "the records do not lead to the root that was signed")
    if digest != manifest["records_sha256"] or shown != manifest["shown"]:
        raise Broken("records.jsonl is not the file that the manifest tells of")
    verdict, withheld = "KEY LOST ON RECORD" if doubted else "OK", last - first + 1 - shown
    said = [
        f"{verdict}: records {first} to {last} of {size}, {shown} shown in full, {withheld} with their headers alone",
        "signed by " + key_text + ("" if trusted else " (from the bundle itself: compare it with the key you were given)"),
    ]
    return (3 if doubted else 0), said + [line for one in steps if one["lost"] for line in of_loss(one, one in doubted)]


def read_records(folder, edge, first, last):
    """Carry the records into the edge; how many of them are shown in full, and the SHA-256 of the file."""
    shown, seq, digest = 0, first - 1, hashlib.sha256()
    with (folder / "records.jsonl").open("rb") as lines:
        for line in lines:
            digest.update(line)
            seq += 1
            leaf, whole = read_record(line, seq)
            push(edge, 1, leaf)
            shown += whole
    if seq != last:
        raise Broken(f"record {seq + 1} is missing: the list ends before it" if seq < last else "there are records too many")
    return shown, digest.hexdigest()


def doubts(steps, key_text, trusted):
    """The losses that come after the key that was given: all of them, when none was."""
    if not trusted:
        return [one for one in steps if one["lost"]]
    keys = [read_key(one["old"]) for one in steps] + [read_key(key_text)]
    if read_key(trusted) not in keys:
        raise Broken("checkpoint.note is not signed by " + trusted + ", nor by a key that came after it")
    return [one for one in steps[keys.index(read_key(trusted)) :] if one["lost"]]


def of_loss(step, doubted):
    yield f"record {step['seq']} of {step['at']} declares a key lost: {step['old']}"
    yield f"up to record {step['proven']} a checkpoint of that key proves what stands"
    if doubted:
        yield "what came after that, whoever has database and keys could have made:"
        yield "compare the key that followed with the one that the office gave you, and give that by --key: " + step["new"]


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


def lead_on(edge, right, size, root, otherwise):
    """From an edge to the root that was signed, over the subtrees beside it."""
    edge = list(edge)
    for one in right:
        push(edge, one["leaves"], from_hex(one["root"]))
    if sum(leaves for leaves, _ in edge) != size or joined(edge) != root:
        raise Broken(otherwise)


def joined(edge):
    if not edge:
        return hashlib.sha256(b"").digest()
    root = edge[-1][1]
    for _, left in reversed(edge[:-1]):
        root = hashlib.sha256(b"\x01" + left + root).digest()
    return root


def read_steps(folder, manifest, size, root):
    """How the key that signed came after earlier ones, each step proved; none when there is no keys.json."""
    path = folder / "keys.json"
    if not path.exists():
        return []
    try:
        steps = [read_step(one, manifest, size, root) for one in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Broken("keys.json cannot be read") from None
    following = [one["old"] for one in steps[1:]] + [manifest["public_key"]]
    if [read_key(one["new"]) for one in steps] != [read_key(text) for text in following]:
        raise Broken("the keys in keys.json do not come one after the other")
    return steps


def read_step(step, manifest, size, root):
    """A change of key is signed by both; a loss by the new one alone, and a record tells it."""
    signed = step["note"].rpartition("\n\n")[0]  # anybody can write something below
    said = dict(line.partition(" ")[::2] for line in signed.split("\n"))
    lost, new = "lost-key" in said, said["next-key"]
    old = said["lost-key" if lost else "key"]
    read_note(step["note"].encode(), manifest, new, IN_KEYS)
    if not lost:
        read_note(step["note"].encode(), manifest, old, IN_KEYS)
        return {"old": old, "new": new, "lost": False}
    proven, last_root = read_note(step["last"].encode(), manifest, old, IN_KEYS)
    edge = left_edge(step["last_left"], proven)
    if joined(edge) != last_root:
        raise Broken("the last checkpoint of the lost key is none of this record")
    lead_on(edge, step["last_right"], size, root, "the last checkpoint of the lost key is none of this record")
    record = step["record"]
    header, details = json.loads(record["header"]), json.loads(record["details"])
    leaf, _ = read_record(json.dumps(record), record["seq"])
    edge = left_edge(step["record_left"], record["seq"] - 1)
    push(edge, 1, leaf)
    lead_on(edge, step["record_right"], size, root, "the record that declares a key lost is none of this record")
    if header["event"] != "audit.key-lost" or [details["old"], details["new"]] != [old, new] or record["seq"] <= proven:
        raise Broken("no record declares the key lost: " + old)
    return {"old": old, "new": new, "lost": True, "proven": proven, "seq": record["seq"], "at": header["at"]}


def read_note(content, manifest, key_text, name="checkpoint.note"):
    """Size and root of a checkpoint, once the signature of this key holds (C2SP signed-note)."""
    text, gap, below = content.decode("utf-8").rpartition("\n\n")
    lines = text.split("\n")
    if not gap or len(lines) < 4 or lines[0] != manifest["origin"] or SUITE not in lines:
        raise Broken(name + " is no checkpoint of this office")
    signer, key_id, key = read_key(key_text)
    for line in below.splitlines():
        if line.startswith(DASH) and line[len(DASH) :].partition(" ")[0] == signer:
            raw = decoded(line[len(DASH) :].partition(" ")[2])
            if raw[:4] == key_id:
                if not holds(key, (text + "\n").encode("utf-8"), raw[4:]):
                    raise Broken("the signature of " + name + " does not hold")
                if not re.fullmatch("[0-9]{1,19}", lines[1]):
                    raise Broken(name + " tells no size")
                return int(lines[1]), decoded(lines[2])
    raise Broken(name + " is not signed by " + key_text)


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

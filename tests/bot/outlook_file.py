"""A minimal Outlook .msg file: a compound file whose streams all fit into its mini stream."""

from __future__ import annotations

import struct

END, FREE, FAT_SECTOR, NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF
STORAGE, STREAM, ROOT = 1, 2, 5
Tree = dict[str, "bytes | Tree"]


def msg_file(subject: str, sender_name: str, sender: str, body: str, attachments: dict[str, bytes]) -> bytes:
    """A .msg with a subject, a sender, a body and files."""
    tree: Tree = {
        "__properties_version1.0": _properties(32, [0x0037001F, 0x1000001F, 0x0C1A001F, 0x0C1F001F])
    }
    tree |= {_stream(0x0037001F): _wide(subject), _stream(0x1000001F): _wide(body)}
    tree |= {_stream(0x0C1A001F): _wide(sender_name), _stream(0x0C1F001F): _wide(sender)}
    for number, (name, content) in enumerate(attachments.items()):
        tree[f"__attach_version1.0_#{number:08X}"] = {
            "__properties_version1.0": _properties(8, [0x37010102, 0x3707001F]),
            _stream(0x37010102): content,
            _stream(0x3707001F): _wide(name),
        }
    return _compound(tree)


def _wide(text: str) -> bytes:
    return text.encode("utf-16-le")


def _stream(tag: int) -> str:
    return f"__substg1.0_{tag:08X}"


def _properties(header: int, tags: list[int]) -> bytes:
    return bytes(header) + b"".join(struct.pack("<II8x", tag, 6) for tag in tags)


def _compound(tree: Tree) -> bytes:
    entries: list[list[object]] = [["Root Entry", ROOT, NONE, NONE, END, 0]]
    mini = bytearray()
    mini_fat: list[int] = []
    _add(tree, 0, entries, mini, mini_fat)
    entries[0][5] = len(mini)
    directory = b"".join(_entry(*entry) for entry in entries)
    tables = [directory, struct.pack(f"<{len(mini_fat)}I", *mini_fat), bytes(mini)]
    padded = [table + (b"\xff" if n == 1 else b"\0") * (-len(table) % 512) for n, table in enumerate(tables)]
    starts, fat = [], [FAT_SECTOR]
    for table in padded:
        starts.append(len(fat))
        count = len(table) // 512
        fat += [len(fat) + n + 1 for n in range(count - 1)] + [END]
    entries[0][4] = starts[2]
    padded[0] = b"".join(_entry(*entry) for entry in entries).ljust(len(padded[0]), b"\0")
    fat += [FREE] * (128 - len(fat))
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIIIIIIIII", 0, 1, starts[0], 0, 4096, starts[1], len(padded[1]) // 512, END, 0, 0)
    return head + b"\xff" * (512 - len(head)) + struct.pack("<128I", *fat) + b"".join(padded)


def _add(tree: Tree, parent: int, entries: list[list[object]], mini: bytearray, mini_fat: list[int]) -> None:
    before = parent
    for name, content in tree.items():
        number = len(entries)
        entries[before][3 if before == parent else 2] = (
            number  # the first is the child, the others follow right
        )
        if isinstance(content, bytes):
            start, count = len(mini_fat), max(1, -(-len(content) // 64))
            mini_fat += [start + n + 1 for n in range(count - 1)] + [END]
            mini += content.ljust(count * 64, b"\0")
            entries.append([name, STREAM, NONE, NONE, start, len(content)])
        else:
            entries.append([name, STORAGE, NONE, NONE, 0, 0])
            _add(content, number, entries, mini, mini_fat)
        before = number


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    wide = _wide(name + "\0")
    head = wide.ljust(64, b"\0") + struct.pack("<HBBIII", len(wide), kind, 1, NONE, right, child)
    return head + bytes(16 + 4 + 16) + struct.pack("<IQ", start, size)

"""Draw where one run's processor time goes: stacks of `perf script` on standard input, an SVG on standard output.

usage: perf script -F comm,tid,ip,sym | flame.py TITLE

A box is a function, as wide as the time in it and in what it called; callers lie above. tests/bench/flame.sh makes the recording, of
one thread: stacks of a team's other threads begin where it hands out a task, so nothing ties them to their stage.
"""

import html
import sys
import zlib

WIDTH, ROW, LEAST_SHARE, LETTER = 1200, 17, 0.002, 6.6
# What every stack begins with; it has no information.
BEGINNINGS = {"_start", "__libc_start_main", "__libc_start_call_main", "__libc_start_main_impl", "start_thread", "clone3", "__clone3"}


class Box:
    def __init__(self):
        self.samples, self.inner = 0, {}

    def add(self, names):
        box = self
        box.samples += 1
        for name in names:
            box = box.inner.setdefault(name, Box())
            box.samples += 1


def stacks(lines):
    """Lists of function names, outermost first."""
    names = []
    for line in [*lines, ""]:
        if line[:1].isspace() and line.strip():
            words = line.split(None, 1)
            name = words[1].strip() if len(words) > 1 else "?"
            if words[0].startswith("ffffffff"):  # of the kernel, how it was entered is enough
                name = "(kernel: page fault)" if "page_fault" in name else "(kernel: system call)" if "SYSCALL" in name else "?"
            names.append(name)
        elif not line.strip() and names:
            outer_first = [n for n in reversed(names) if n not in BEGINNINGS and n not in ("[unknown]", "?")]
            yield outer_first or ["(elsewhere)"]
            names = []


def colour(name):
    """Warm, by the name; what is not ours to mend (kernel, the frame of it all) is grey."""
    mark = zlib.crc32(name.encode())
    if name == "all" or name.startswith("("):
        return "rgb(200,200,205)"
    return f"rgb({215 + mark % 40},{120 + mark // 64 % 100},{80 + mark // 8192 % 50})"


def boxes(box, name, left, depth, total):
    """SVG of a box and what is in it; widths by samples."""
    width = WIDTH * box.samples / total
    share = 100 * box.samples / total
    label = html.escape(f"{name}: {share:.1f} %")
    fits = int((width - 6) / LETTER)
    text = html.escape(name if len(name) <= fits else name[: max(fits - 1, 0)] + "…") if fits >= 3 else ""
    yield (
        f'<g><title>{label}</title><rect x="{left:.1f}" y="{depth * ROW + 30}" width="{max(width - 0.5, 0.5):.1f}" height="{ROW - 1}" '
        f'fill="{colour(name)}"/><text x="{left + 3:.1f}" y="{depth * ROW + 42}">{text}</text></g>'
    )
    for inner_name, inner in sorted(box.inner.items(), key=lambda item: -item[1].samples):
        if inner.samples >= LEAST_SHARE * total:
            yield from boxes(inner, inner_name, left, depth + 1, total)
        left += WIDTH * inner.samples / total


def depth_of(box, total):
    deep = [depth_of(inner, total) for inner in box.inner.values() if inner.samples >= LEAST_SHARE * total]
    return 1 + max(deep, default=0)


def svg(root, title):
    height = depth_of(root, root.samples) * ROW + 36
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
        f'<text x="4" y="18" font-size="13">{html.escape(title)}</text>'
    )
    return "\n".join([head, *boxes(root, "all", 0.0, 0, root.samples), "</svg>\n"])


def main():
    root = Box()
    for names in stacks(sys.stdin):
        root.add(names)
    if not root.samples:
        raise SystemExit("flame: no stack on standard input")
    sys.stdout.write(svg(root, f"{sys.argv[1]}, {root.samples} samples"))


if __name__ == "__main__":
    main()

"""A larger record of a small one: its lines again and again, each time with ids of its own.   usage: multiply.py RECORD BYTES"""

import hashlib
import re
import sys

ID = re.compile(r'"((?:trace|span|parentSpan)Id)":"([0-9a-f]+)"')


def main(path, most):
    with open(path, encoding="utf-8") as file:
        lines = file.readlines()
    written = 0
    for n in range(sys.maxsize):
        for line in lines:
            changed = ID.sub(lambda found: '"%s":"%s"' % (found[1], hashlib.sha256(f"{n}{found[2]}".encode()).hexdigest()[:len(found[2])]), line)
            sys.stdout.write(changed)
            written += len(changed)
        if written >= most:
            return


main(sys.argv[1], int(sys.argv[2]))

"""Peer of check-videos.ts: python check_videos.py FRAMES < paths, a line each

Answers each with a line of JSON: which frames PyAV has, spread evenly by NumPy, and the MD5 of each as RGB bytes.
"""

import hashlib
import json
import sys

import av
import numpy

count = int(sys.argv[1])
for line in sys.stdin:
    try:
        with av.open(line.strip()) as container:
            stream = container.streams.video[0]
            # Decoded twice, in order: what a container says of its frames may be wrong, and so may seeking.
            total = sum(1 for _ in container.decode(stream))
        wanted = numpy.linspace(0, total - 1, count, dtype=int).tolist()
        digests = {}
        with av.open(line.strip()) as container:
            for index, frame in enumerate(container.decode(container.streams.video[0])):
                if index in wanted:
                    digests[index] = hashlib.md5(frame.to_ndarray(format="rgb24").tobytes()).hexdigest()
        found = {"total": total, "indices": wanted, "digests": [digests[index] for index in wanted]}
    except (av.error.FFmpegError, IndexError) as error:
        found = {"error": str(error)}
    print(json.dumps(found), flush=True)

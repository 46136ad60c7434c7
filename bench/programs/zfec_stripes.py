"""zfec beside src/erasure, as isa-l.c is: K N LOST STRIPE_BYTES STRIPES."""

import json
import os
import sys
import time

import zfec

k, n, lost, stripe_bytes, stripes = map(int, sys.argv[1:])
size = -(-stripe_bytes // k)
data = [os.urandom(size) for _ in range(k)]
encoder, decoder = zfec.Encoder(k, n), zfec.Decoder(k, n)

began = time.monotonic()
for _ in range(stripes):
    blocks = encoder.encode(data)
encoding = time.monotonic() - began

# As zfec wants it: a data block that is there stands at its own place.
numbers = list(range(k, k + lost)) + list(range(lost, k))
held = [bytes(blocks[number]) for number in numbers]
began = time.monotonic()
for _ in range(stripes):
    decoded = decoder.decode(held, numbers)
decoding = time.monotonic() - began

if [bytes(block) for block in decoded] != data:
    sys.exit("zfec: a block came out wrong")
print(json.dumps({"encoding": encoding, "decoding": decoding}))

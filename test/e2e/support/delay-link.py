#!/usr/bin/python3
"""delay-link.py NAME ADDRESS PEER_NAMESPACE PEER_ADDRESS DELAY_MS

A link between this network namespace and another one, delayed each way, through two TAP devices of this NAME:
what netem does, where the kernel has no netem. It lives as long as this process.
"""
import collections
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

name, address, namespace, peer, delay_ms = sys.argv[1:6]
delay = float(delay_ms) / 1000
MTU = "9000"  # fewer packets for one interpreter


def tap(where, ip):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x0002 | 0x1000))
    if where:
        subprocess.check_call(["ip", "link", "set", name, "netns", where])
    inside = ["ip", "-n", where] if where else ["ip"]
    subprocess.check_call([*inside, "addr", "add", ip, "dev", name])
    subprocess.check_call([*inside, "link", "set", name, "mtu", MTU, "up"])
    return fd


far = tap(namespace, peer)
near = tap("", address)
print("up", flush=True)
queue = collections.deque()
while True:
    wait = max(0, queue[0][0] - time.monotonic()) if queue else 1
    ready, _, _ = select.select([near, far], [], [], wait)
    for fd in ready:
        other = far if fd == near else near
        for _ in range(64):
            try:
                packet = os.read(fd, 65536)
            except OSError:
                break
            queue.append((time.monotonic() + delay, other, packet))
    now = time.monotonic()
    while queue and queue[0][0] <= now:
        _, fd, packet = queue.popleft()
        try:
            os.write(fd, packet)
        except OSError:
            pass

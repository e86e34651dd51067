"""Prints "path nanoseconds" for every znode that kazoo's TreeCache is told of."""
import sys
import time

from kazoo.client import KazooClient
from kazoo.recipe.cache import TreeCache, TreeEvent

address, root = sys.argv[1:]
client = KazooClient(hosts=address)
client.start()
cache = TreeCache(client, root)


def told(event):
    if event.event_type == TreeEvent.NODE_ADDED:
        print(event.event_data.path, time.time_ns(), flush=True)
    elif event.event_type == TreeEvent.INITIALIZED:
        print("ready", flush=True)


cache.listen(told)
cache.start()
while True:
    time.sleep(60)

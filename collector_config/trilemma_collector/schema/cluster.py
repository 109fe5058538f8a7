"""Own how a statement of a migration becomes the statements that do the same on a cluster.

On every node the same names: what lands anywhere is sharded, what is asked anywhere is asked of all shards.

============================  =========================================================================================
single node                   cluster
============================  =========================================================================================
a table that keeps rows       ``<name>_local`` on each node, replicated within its shard, and ``<name>`` as Distributed
                              over them, sharded by what stands at ``-- shard by:`` above it, so that rows that replace
                              each other meet on one shard
a kept table without that     ``<name>`` replicated to every node: small, and the same everywhere
an engine that keeps nothing  the same on each node
a view                        the same on each node
a view that settles           on the node that migrates (``-- settle:``): what it does makes queries faster, never
(``REFRESH EVERY``)           different, so a node that is away delays nothing but that
============================  =========================================================================================
"""

from __future__ import annotations

import re
from typing import NamedTuple

from trilemma.errors import ConfigurationError

__all__ = ["Statement", "spread"]

_NAME = re.compile(r"(?P<verb>CREATE [A-Z ]*?(?:TABLE|VIEW|DATABASE)(?: IF NOT EXISTS)?) (?P<name>[\w{}.]+)")
_KEPT_ENGINE = re.compile(r"^ENGINE = (?P<kind>\w*MergeTree)(?:\((?P<arguments>[^)]*)\))?", re.MULTILINE)
_CLUSTER_NAME = re.compile(r"[A-Za-z_{}][\w.{}-]*")


class Statement(NamedTuple):
    """One statement of a migration, and what the marks above it say of a cluster."""

    text: str
    shard_by: str | None = None
    on_one_node: bool = False


def spread(statement: Statement, cluster: str) -> tuple[str, ...]:
    """Return what `statement` becomes on `cluster`.

    Raises:
        ConfigurationError: the cluster's name is none, or the statement is of a kind that has no rule here.
    """
    if not _CLUSTER_NAME.fullmatch(cluster):
        raise ConfigurationError(
            f"{cluster!r} cannot be the name of a cluster; the server's table system.clusters lists its clusters"
        )
    if statement.on_one_node:
        return (statement.text,)
    head = _NAME.match(statement.text)
    if head is None:
        raise ConfigurationError(
            f"the statement {statement.text[:60]!r} has no rule for a cluster; add one to schema/cluster.py"
        )
    on_cluster = f"ON CLUSTER '{cluster}'"
    engine = _KEPT_ENGINE.search(statement.text)
    if engine is None:
        return (f"{head[0]} {on_cluster}{statement.text[head.end() :]}",)
    return _spread_table(statement, head, engine, cluster, on_cluster)


def _spread_table(
    statement: Statement, head: re.Match[str], engine: re.Match[str], cluster: str, on_cluster: str
) -> tuple[str, ...]:
    name = head["name"]
    # {uuid} is one for all nodes of an ON CLUSTER statement; {shard} and {replica} are the server's own macros.
    if statement.shard_by is None:
        place = "'/clickhouse/tables/{uuid}', '{shard}_{replica}'"
        return (f"{head[0]} {on_cluster}{_replicate(statement.text[head.end() :], engine, place)}",)
    place = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"
    local = f"{head['verb']} {name}_local {on_cluster}{_replicate(statement.text[head.end() :], engine, place)}"
    database, _, table = name.rpartition(".")
    whole = (
        f"{head['verb']} {name} {on_cluster} AS {name}_local\n"
        f"ENGINE = Distributed('{cluster}', '{database}', '{table}_local', {statement.shard_by})"
    )
    return local, whole


def _replicate(text: str, engine: re.Match[str], place: str) -> str:
    arguments = f"{place}, {engine['arguments']}" if engine["arguments"] else place
    return text.replace(engine[0], f"ENGINE = Replicated{engine['kind']}({arguments})")

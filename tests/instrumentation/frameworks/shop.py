"""Own the tools of the agents under test, and the tree of spans that one run of such an agent is."""

from __future__ import annotations

import asyncio
import time

__all__ = ["agent_tree", "lookup", "lookup_async", "refund", "refund_async", "refuse"]

PAUSE_S = 0.01  # so that runs at once overlap


def lookup(order: str) -> str:
    """Look an order up."""
    time.sleep(PAUSE_S)
    return f"order {order}: paid"


def refund(amount: int) -> str:
    """Give money back."""
    time.sleep(PAUSE_S)
    return f"refunded {amount}"


async def lookup_async(order: str) -> str:
    """Look an order up."""
    await asyncio.sleep(PAUSE_S)
    return f"order {order}: paid"


async def refund_async(amount: int) -> str:
    """Give money back."""
    await asyncio.sleep(PAUSE_S)
    return f"refunded {amount}"


def refuse(amount: int) -> str:
    """Give no money back."""
    raise LookupError(f"no account for {amount}")


lookup_async.__name__, refund_async.__name__, refuse.__name__ = "lookup", "refund", "refund"


def agent_tree(model: str, *around: str) -> list[str]:
    """Return the lines of one run: three calls of `model` and the two tools between them, beneath `around`."""
    steps = [f"chat {model} >", "execute_tool lookup", f"chat {model} >", "execute_tool refund", f"chat {model} >"]
    outer = around or ("invoke_agent helper",)
    return [f"{'  ' * depth}{name}" for depth, name in enumerate(outer)] + [
        f"{'  ' * len(outer)}{step}" for step in steps
    ]

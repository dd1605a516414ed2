"""Conversations with a server that runs in the same process."""

import asyncio

import aiohttp


def asked(server, conversation):
    """Run a server, such as a `LiveServer`, and return what `conversation(session, address)` with it returns."""

    async def run():
        runner = await server.loopback.start()
        try:
            async with aiohttp.ClientSession() as session:
                return await conversation(session, server.loopback.address)
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def origin(address):
    """Return the header that a browser sends which has opened the page at an address."""
    return {"Origin": "/".join(address.split("/")[:3])}

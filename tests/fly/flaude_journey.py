"""A journey of the PyPI package `flaude` against a Fly stand-in: only the addresses are others. Says what it saw as one line of JSON."""
import asyncio
import json
import os

from flaude import fly_client

fly_client.FLY_API_BASE = os.environ["FLY_API"]
fly_client.FLY_PLATFORM_API_BASE = os.environ["FLY_PLATFORM_API"]

from flaude.app import ensure_app  # noqa: E402
from flaude.machine import create_machine, destroy_machine, get_machine, start_machine, stop_machine, update_machine  # noqa: E402
from flaude.machine_config import MachineConfig  # noqa: E402
from flaude.runner import run_and_destroy, wait_for_machine_exit  # noqa: E402
from flaude.volume import create_volume, destroy_volume, list_volumes  # noqa: E402


def wish(image: str, **more: object) -> MachineConfig:
    return MachineConfig(image=image, claude_code_oauth_token="token", prompt="prompt", region="sin", vm_cpus=1, vm_memory_mb=2048, auto_destroy=False, **more)


async def reach(app: str, machine: str, state: str) -> None:
    for _ in range(200):
        if (await get_machine(app, machine)).state == state:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"{machine} did not become {state}")


async def main() -> dict:
    tiny, broken = os.environ["IMAGE"], os.environ["BROKEN_IMAGE"]
    app = await ensure_app("flaude-journey", org="personal", region="sin")
    again = await ensure_app("flaude-journey", org="personal", region="sin")
    volume = await create_volume(app.name, name="data", region="sin", size_gb=1)
    machine = await create_machine(app.name, wish(tiny, volume_id=volume.id, env={"DATA_DIR": "/data", "PORT": "0"}), name="main")
    await reach(app.name, machine.id, "started")
    await stop_machine(app.name, machine.id)
    stopped, code = await wait_for_machine_exit(app.name, machine.id, timeout=20)
    await start_machine(app.name, machine.id)
    await reach(app.name, machine.id, "started")
    updated = await update_machine(app.name, machine.id, wish(tiny, volume_id=volume.id, env={"DATA_DIR": "/data", "PORT": "0"}))
    await reach(app.name, machine.id, "started")
    await destroy_machine(app.name, machine.id)
    await reach(app.name, machine.id, "destroyed")
    await destroy_machine(app.name, machine.id)
    await destroy_volume(app.name, volume.id)
    failed = None
    try:
        await run_and_destroy(app.name, wish(broken), name="broken", wait_timeout=20)
    except Exception as error:  # its own class carries the exit code
        failed = {"kind": type(error).__name__, "exit_code": getattr(error, "exit_code", None), "text": str(error)}
    return {
        "app": app.name, "same": again.name == app.name, "stopped": stopped, "exit_code": code, "id_kept": updated.id == machine.id,
        "version_changed": updated.instance_id != machine.instance_id, "volumes": len(await list_volumes(app.name)), "failed": failed,
    }


print(json.dumps(asyncio.run(main())))

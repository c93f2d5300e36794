"""supervisord as a deployer sees it: programs added, instances started and stopped one by one."""

from pathlib import Path

from demo import supervisord_config, supervisord_rpc
from demo.errors import WorldError
from demo.files import replace
from demo.processes import tail
from demo.supervisord_config import Program

GOING = frozenset({"STARTING", "RUNNING", "BACKOFF"})


class Instances:
    """The instances of all versions, in the folder of a supervisord."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "supervisord.conf"
        self.socket = folder / "supervisor.sock"
        self.log = folder / "logs" / "supervisord.log"

    def write_first(self) -> None:
        """The files of a supervisord with no program yet."""
        replace(self.config, supervisord_config.server_config(self.folder))

    def answers(self) -> bool:
        """Whether supervisord can be told something.

        Asking has an effect: it acts on signals and ends of children when a request wakes it, or
        else once a second.
        """
        return supervisord_rpc.answers(self.socket)

    def add(self, program: Program, prefix: list[str]) -> None:
        """Make a version known to supervisord, none of its instances started."""
        text = supervisord_config.program_config(program, self.folder, prefix)
        replace(self.folder / "conf.d" / f"{program.name}.conf", text)
        with supervisord_rpc.supervisor(self.socket) as proxy:
            proxy.supervisor.reloadConfig()
            proxy.supervisor.addProcessGroup(program.name)

    def scale(self, program: Program, count: int) -> None:
        """Have the `count` lowest ports started and the others stopped, without waiting."""
        states = supervisord_rpc.states(self.socket)
        with supervisord_rpc.supervisor(self.socket) as proxy:
            for port in program.ports:
                wanted = port in program.ports[:count]
                going = states[program.process(port)].name in GOING
                if wanted and not going:
                    proxy.supervisor.startProcess(f"{program.name}:{program.process(port)}", False)
                elif going and not wanted:
                    proxy.supervisor.stopProcess(f"{program.name}:{program.process(port)}", False)

    def living(self, program: Program) -> int:
        """How many instances have a process, whether they could serve or not.

        Raises:
            WorldError: supervisord has given one up.
        """
        states = supervisord_rpc.states(self.socket)
        for name in map(program.process, program.ports):
            if states[name].name == "FATAL":
                log = tail(self.folder / "logs" / f"{name}.log")
                raise WorldError(f"{name} does not start:\n{log}")
        return sum(bool(states[name].pid) for name in map(program.process, program.ports))

    def pids(self) -> dict[str, int]:
        """Every instance that has a process; none if supervisord does not answer."""
        if not self.answers():
            return {}
        states = supervisord_rpc.states(self.socket)
        return {name: state.pid for name, state in states.items() if state.pid}

    def spawned(self) -> list[tuple[str, int]]:
        """Name and process id of every start there ever was, from supervisord's log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        starts = (line.partition("INFO spawned: '")[2] for line in lines)
        pairs = (start.partition("' with pid ") for start in starts if start)
        return [(name, int(pid)) for name, _, pid in pairs]

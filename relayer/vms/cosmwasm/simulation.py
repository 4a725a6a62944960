"""What a transaction would do now.

Its job: run prepared messages on the tip's state, from our account, several in one exchange: do they fail, and why, how
much gas do they use, and which requests would the gateway pass over? It is asked of M endpoints. It must not choose
what to do about it.

Source: the Cosmos SDK's `Simulate`, through `abci_query`; contracts/cosmwasm/schema for the events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from attestation.request import RequestId
from attestation.words import WORD_LENGTH
from relayer.cosmos.abci import Event
from relayer.cosmos.accounts import account_of_key
from relayer.cosmos.protobuf import MalformedProtobuf
from relayer.cosmos.tx import SIMULATE, SimulateRequest, SimulateResponse
from relayer.errors import RpcUnavailable
from relayer.vms.bundling.preparing import OVERSIZE
from relayer.vms.bundling.trials import NO_ANSWER, SETTLED, Finding, Trial
from relayer.vms.cosmwasm.chain import ChainIdentity
from relayer.vms.cosmwasm.failures import failure_text
from relayer.vms.cosmwasm.gas import with_margin
from relayer.vms.cosmwasm.headers import STATUS_CALL
from relayer.vms.cosmwasm.limits import GasLimits
from relayer.vms.cosmwasm.pool_errors import expected_sequence
from relayer.vms.cosmwasm.queries import abci_call, parse_abci
from relayer.vms.cosmwasm.transactions import Transaction
from relayer.vms.cosmwasm.values import MAX_COUNT
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.jsonrpc.rpc import RpcCall, RpcEndpoint, RpcFault
from relayer.vms.jsonrpc.weighing import WeighedCall, call_by_weight

_EMITTER: Final = "_contract_address"
_CALL_SKIPPED: Final = "wasm-XVMCallSkipped"
_OUTCOME_SKIPPED: Final = "wasm-XVMOutcomeSkipped"
_ID_TEXT_LENGTH: Final = 2 + 2 * WORD_LENGTH

_MAX_ROUNDS: Final = 3
"""How often an endpoint is asked that waits for another sequence than the last one it told: ours move on meanwhile."""


class _Voice(NamedTuple):
    """What endpoints must say alike of a trial: whether it runs, and which requests are passed over, and why."""

    is_running: bool
    skipped: frozenset[tuple[RequestId, str]]


class _Sequence(NamedTuple):
    """The sequence that an endpoint wants of the next transaction."""

    number: int


class Simulator:
    """Tries messages to the gateway of `identity`, from the account of `public_key` (33 bytes).

    What uses more than a transaction may offer is a finding with the error `OVERSIZE`.
    """

    def __init__(self, pool: EndpointPool, identity: ChainIdentity, public_key: bytes, limits: GasLimits) -> None:
        self._pool = pool
        self._identity = identity
        self._public_key = public_key
        self._limits = limits
        self._sender = identity.account_text(account_of_key(public_key))
        self._gateway = identity.gateway_text
        self._sequences: dict[RpcEndpoint, int] = {}

    async def run(self, trials: Sequence[Trial]) -> list[Finding]:
        """The findings in order, each as if its trial alone were next. Raises `RpcUnavailable`.

        A trial's finding is what M endpoints say alike, or the only ones that try it at all.
        """
        if not trials:
            return []
        heard: list[dict[_Voice, list[Finding]]] = [defaultdict(list) for _ in trials]

        async def ask(endpoint: RpcEndpoint) -> list[_Voice | None]:
            voices: list[_Voice | None] = []
            for place, finding in enumerate(await self._try(endpoint, trials)):
                voice = None if finding is None else _Voice(not finding.error, frozenset(finding.skipped.items()))
                voices.append(voice)
                if voice is not None and finding is not None:
                    heard[place][voice].append(finding)
            return voices

        # SECURITY: one endpoint alone would keep us from sending anything, ever, by calling all of it failing or passed
        # over, or have all of it fail in a block, and be paid for.
        verdicts = await self._pool.vote(ask, at_tip=True)
        gas_cap = await self._limits.fetch_gas_cap()
        findings = []
        for voices, verdict in zip(heard, verdicts, strict=True):
            only = next(iter(voices)) if len(voices) == 1 else None
            voice = verdict.value or only
            findings.append(Finding(NO_ANSWER, 0) if voice is None else self._merge(voices[voice], gas_cap))
        return findings

    def _merge(self, alike: Sequence[Finding], gas_cap: int) -> Finding:
        """One finding of those that agree in all but the gas, and in their words for a failure."""
        # SECURITY: no single endpoint can have us offer more than a transaction needs.
        used = self._pool.reached(each.gas_used for each in alike) if len(alike) >= self._pool.quorum else 0
        if not alike[0].error and with_margin(used) > gas_cap:
            return Finding(OVERSIZE, used)
        return Finding(alike[0].error, used, alike[0].skipped)

    async def _try(self, endpoint: RpcEndpoint, trials: Sequence[Trial]) -> list[Finding | None]:
        """None for what the endpoint, though it is up, gives no answer to."""
        findings: list[Finding | None] = [None] * len(trials)
        left = list(range(len(trials)))
        for _ in range(_MAX_ROUNDS):
            sequence = self._sequences.get(endpoint, 0)
            calls = [WeighedCall(self._call(trials[place], sequence), trials[place].gas_limit) for place in left]
            answers = await call_by_weight(endpoint, calls, STATUS_CALL) if calls else []
            asked, left = left, []
            for place, answer in zip(asked, answers, strict=True):
                parsed = None if isinstance(answer, RpcFault) else self._parse(answer, endpoint)
                if isinstance(parsed, _Sequence):
                    self._sequences[endpoint] = parsed.number
                    left.append(place)
                else:
                    findings[place] = parsed
        return findings

    def _call(self, trial: Trial, sequence: int) -> RpcCall:
        raw = Transaction(
            chain_id=self._identity.chain_id,
            account_number=0,
            sequence=sequence,
            public_key=self._public_key,
            sender=self._sender,
            contract=self._gateway,
            message=trial.data,
            gas_limit=trial.gas_limit,
            fee_amount=0,
            fee_denom="",
        ).unsigned()
        return abci_call(SIMULATE, SimulateRequest(tx_bytes=raw))

    def _parse(self, answer: Any, endpoint: RpcEndpoint) -> Finding | _Sequence | None:
        simulated = parse_abci(answer, endpoint)
        if simulated.code:
            sequence = expected_sequence(simulated.log)
            if sequence is not None and sequence[0] <= MAX_COUNT:
                return _Sequence(sequence[0])
            return Finding(failure_text(simulated.log), 0)
        try:
            response = SimulateResponse.decode(simulated.value, is_lenient=True)
        except MalformedProtobuf:
            # SECURITY: a target may emit more events than anybody reads. It is to be found, and to spoil no other.
            return None
        if response.gas_info is None or response.result is None or response.gas_info.gas_used > MAX_COUNT:
            raise RpcUnavailable(f"{endpoint.label} answered with a malformed simulation")
        return Finding("", response.gas_info.gas_used, dict(self._skipped(response.result.events)))

    def _skipped(self, events: Iterable[Event]) -> Iterable[tuple[RequestId, str]]:
        for event in events:
            if event.type not in {_CALL_SKIPPED, _OUTCOME_SKIPPED}:
                continue
            told = {attribute.key: attribute.value for attribute in event.attributes}
            if told.get(_EMITTER) != self._gateway:
                continue
            reason = SETTLED if event.type == _OUTCOME_SKIPPED else failure_text(told.get("reason", ""))
            yield _parse_id(told.get("request_id", "")), reason


def _parse_id(text: str) -> RequestId:
    """Raises `RpcUnavailable`."""
    try:
        identifier = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        identifier = b""
    if len(text) != _ID_TEXT_LENGTH or len(identifier) != WORD_LENGTH:
        raise RpcUnavailable("an endpoint answered with a malformed simulation")
    return RequestId(identifier)

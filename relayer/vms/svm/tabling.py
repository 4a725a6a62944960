"""Lookup tables for calls that declare more accounts than a transaction can name in full.

Its job: for a list of accounts, the table of ours that holds them, or the transactions that make one; and those by
which its rent comes back. A table's address comes from the slot by which it is made. A stage at an address that the
accounts give keeps that slot, made in the same transaction, so that whoever looks again finds the table, after a
restart too. It must not judge which calls get one.

Source: Solana's address lookup table program; contracts/svm/src/stage.h.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from attestation.request import RequestId
from relayer.errors import RpcUnavailable
from relayer.vms.jsonrpc.endpoints import EndpointPool
from relayer.vms.svm.accounts import Stage
from relayer.vms.svm.borsh import MalformedBorsh
from relayer.vms.svm.costs import SIGNATURE_LAMPORTS
from relayer.vms.svm.instructions import GatewayInstructions
from relayer.vms.svm.lookup_tables import TABLE_HEAD_LENGTH, LookupTable, TableInstructions, parse_table
from relayer.vms.svm.preparing import Plan
from relayer.vms.svm.staging import Stager
from relayer.vms.svm.states import COMMITMENT, FINALIZED, StateReader, States
from relayer.vms.svm.sysvar_clock import fetch_time
from relayer.vms.svm.transactions import draft_of, is_fitting

NO_TABLE: Final = "LookupTableUnavailable"
"""Why a request is refused that needs a table, while enough of them stand, or those for its accounts are ending."""

MAX_TABLES: Final = 256
"""At a time, of some 0.013 SOL of rent at the most."""

_MARK: Final = b"xvmtable"
"""Begins a note, and the name of the stage that holds it. No instruction of the gateway's begins so."""

_GENERATIONS: Final = 2
"""Tables for the same accounts: while one ends, which takes minutes, the other serves."""

_FIRST_PIECE: Final = 12
_PIECE: Final = 28
"""Addresses that fit beside the making of a table, and a transaction that only fills it."""

_TABLE_UNITS: Final = 120_000
"""Compute units: some 10,000 of an instruction, and 1,500 for each attempt at an address."""

_MAKING_SLOTS: Final = 150
"""For which a table may be on its way: longer than any transaction. Then it is made by a newer slot."""

_ENDING_SLOTS: Final = 600
"""From a table's deactivation on, before it is closed: 512 with a block, and some that are skipped."""

Addresses = tuple[Pubkey, ...]
"""Each once, ascending: calls share a table in whatever order they declare its accounts."""


@dataclass(frozen=True, slots=True)
class TableLook:
    """The table, if it can be used; else what is to be sent for it now, or why there is none.

    None of these: it is on its way.
    """

    table: AddressLookupTableAccount | None = None
    plans: tuple[Plan, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Note:
    """A place for a note: the name and address of its stage, and the slot that it holds, None if there is no note."""

    name: bytes
    key: Pubkey
    slot: int | None


def table_length(count: int) -> int:
    """Bytes of a table of so many addresses; of none: there is no table."""
    return TABLE_HEAD_LENGTH + Pubkey.LENGTH * count if count else 0


def noted_slot(stage: Stage) -> int | None:
    """The slot of the table that the stage notes; None if it holds something else."""
    note = stage.content[: stage.length]
    return int.from_bytes(note[len(_MARK) :], "little") if note.startswith(_MARK) else None


class TableKeeper:
    """The tables of `payer`, and their notes at one gateway."""

    def __init__(
        self, pool: EndpointPool, states: StateReader, stager: Stager, instructions: GatewayInstructions, payer: Pubkey
    ) -> None:
        self._pool = pool
        self._states = states
        self._stager = stager
        self._instructions = instructions
        self._payer = payer
        self._make = TableInstructions(payer)
        self._slots: dict[Pubkey, int] = {}
        """By note: the slot by which its table is being made. What is lost here is made by another slot."""
        self._newest = 0
        self._wanted: set[Pubkey] = set()
        self._standing: set[Pubkey] = set()

    async def look(self, wishes: Mapping[Addresses, Sequence[RequestId]]) -> dict[Addresses, TableLook]:
        """How far the table for each list of accounts is, which these requests wait for.

        What the endpoints do not tell alike is left out. Raises `RpcUnavailable`.
        """
        if not wishes:
            return {}
        notes = await self._fetch_notes(wishes)
        keys = {note.slot: self._make.address(note.slot) for few in notes.values() for note in few if note.slot}
        states = await self._states.fetch(list(keys.values()))
        looks: dict[Addresses, TableLook] = {}
        filled: dict[Addresses, Pubkey] = {}
        unmade: dict[Addresses, _Note] = {}
        for wish, few in notes.items():
            if not all(states.is_known(keys[note.slot]) for note in few if note.slot):
                continue
            active = next((note for note in few if note.slot and self._active(states, keys[note.slot])), None)
            free = next((note for note in few if not note.slot), None)
            if active is not None and active.slot:
                self._note_wanted(active)
                key = keys[active.slot]
                missing = self._missing(key, wish, states)
                looks[wish] = TableLook(plans=tuple(self._plan([step], wishes[wish]) for step in missing))
                if not missing:
                    filled[wish] = key
            elif free is None or self._is_full(free):
                looks[wish] = TableLook(fault=NO_TABLE)
            else:
                unmade[wish] = free
        looks.update(await self._usable(filled))
        looks.update(await self._makings(unmade, wishes))
        return looks

    def take_wanted(self) -> set[Pubkey]:
        """The notes whose tables were asked for since this was last called."""
        wanted, self._wanted = self._wanted, set()
        return wanted

    async def endings(self, notes: Mapping[Pubkey, int]) -> list[tuple[Instruction, ...]]:
        """What ends the tables with these notes and slots now, as far as it can be done; each in one transaction.

        What has ended makes room for others. Raises `RpcUnavailable`.
        """
        self._standing.update(notes)
        if not self._standing:
            return []
        # SECURITY: one endpoint that shows none of them would have us lend without end.
        there = await self._states.fetch(list(self._standing))
        self._standing = {key for key in self._standing if not there.is_known(key) or there.get(Stage, key)}
        keys = {note: self._make.address(slot) for note, slot in notes.items()}
        states = await self._states.fetch(list(keys.values()))
        ended_by = (await fetch_time(self._pool, COMMITMENT)).slot - _ENDING_SLOTS
        endings: list[tuple[Instruction, ...]] = []
        for note, key in keys.items():
            table = _table(states, key)
            if not states.is_known(key):
                continue
            if table is None:
                endings.append((self._instructions.close_stage(note),))
            elif table.deactivated_in is None:
                endings.append((self._make.deactivate(key),))
            elif table.deactivated_in < ended_by:
                # With its note, or nobody would know where it was.
                endings.append((self._make.close(key), self._instructions.close_stage(note)))
        return endings

    async def _fetch_notes(self, wishes: Collection[Addresses]) -> dict[Addresses, list[_Note]]:
        """The places for notes of these, in the order of generations."""
        names = {wish: [_name(wish, number) for number in range(_GENERATIONS)] for wish in wishes}
        states = await self._states.fetch([self._stager.key_of(name) for few in names.values() for name in few])
        return {
            wish: [self._note(name, states) for name in few]
            for wish, few in names.items()
            if all(states.is_known(self._stager.key_of(name)) for name in few)
        }

    def _note(self, name: bytes, states: States) -> _Note:
        key = self._stager.key_of(name)
        stage = states.get(Stage, key)
        return _Note(name, key, None if stage is None else noted_slot(stage))

    def _active(self, states: States, key: Pubkey) -> LookupTable | None:
        """The table there, if it is ours and not ending."""
        table = _table(states, key)
        # SECURITY: who may fill a table says which accounts a transaction of ours names.
        is_ours = table is not None and table.authority == self._payer
        return table if is_ours and table is not None and table.deactivated_in is None else None

    def _missing(self, key: Pubkey, wish: Addresses, states: States) -> list[Instruction]:
        """What fills the table there; nothing if all is in it."""
        table = self._active(states, key)
        there = set(table.addresses) if table is not None else set()
        rest = wish[_FIRST_PIECE:]
        pieces = [wish[:_FIRST_PIECE], *(rest[at : at + _PIECE] for at in range(0, len(rest), _PIECE))]
        return [self._make.extend(key, piece) for piece in pieces if not there.issuperset(piece)]

    async def _usable(self, filled: Mapping[Addresses, Pubkey]) -> dict[Addresses, TableLook]:
        """The tables that hold these for good."""
        # SECURITY: which place of a table holds what must not change once we have signed for places. And what is final
        # is above the slot of its making everywhere, before which nobody can use it.
        states = await self._states.fetch(list(filled.values()), FINALIZED)
        looks = {}
        for wish, key in filled.items():
            table = self._active(states, key)
            if table is not None and set(table.addresses).issuperset(wish):
                looks[wish] = TableLook(AddressLookupTableAccount(key, list(table.addresses)))
        return looks

    async def _makings(
        self, unmade: Mapping[Addresses, _Note], wishes: Mapping[Addresses, Sequence[RequestId]]
    ) -> dict[Addresses, TableLook]:
        """What makes these tables. As a slot makes one table, some have to wait for the next."""
        if not unmade:
            return {}
        now = (await fetch_time(self._pool, FINALIZED)).slot
        self._slots = {note: slot for note, slot in self._slots.items() if now - slot <= _MAKING_SLOTS}
        chosen = {wish: slot for wish, note in unmade.items() if (slot := self._choose(note.key, now)) is not None}
        states = await self._states.fetch([self._make.address(slot) for slot in chosen.values()])
        looks = {}
        for wish, slot in chosen.items():
            note, key = unmade[wish], self._make.address(slot)
            if not states.is_known(key):
                continue
            # SECURITY: anybody may make an empty table in our name; ours is made by another slot then.
            if _table(states, key) is not None:
                del self._slots[note.key]
                continue
            self._note_wanted(note)
            steps = [
                *self._stager.making(note.name, _MARK + slot.to_bytes(8, "little")),
                self._make.create(slot),
                self._make.extend(key, wish[:_FIRST_PIECE]),
            ]
            looks[wish] = TableLook(plans=(self._plan(steps, wishes[wish]),))
        return looks

    def _choose(self, note: Pubkey, now: int) -> int | None:
        """The slot by which the table with this note is made: the same one while it may be on its way."""
        if note not in self._slots and now > self._newest:
            self._slots[note] = self._newest = now
        return self._slots.get(note)

    def _note_wanted(self, note: _Note) -> None:
        self._wanted.add(note.key)
        self._standing.add(note.key)

    def _is_full(self, note: _Note) -> bool:
        return note.key not in self._standing and len(self._standing) >= MAX_TABLES

    def _plan(self, steps: Sequence[Instruction], serves: Sequence[RequestId]) -> Plan:
        draft = draft_of(self._payer, steps)
        assert is_fitting(draft), "addresses are cut to fit a transaction"
        return Plan(draft, _TABLE_UNITS, SIGNATURE_LAMPORTS, tuple(serves), is_groundwork=True)


def _name(addresses: Addresses, generation: int) -> bytes:
    return _MARK + bytes([generation]) + b"".join(map(bytes, addresses))


def _table(states: States, key: Pubkey) -> LookupTable | None:
    try:
        return parse_table(states.account(key))
    except MalformedBorsh as fault:
        raise RpcUnavailable(f"the endpoints told of an impossible lookup table: {fault}") from None

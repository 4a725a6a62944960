// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmAccounts} from "../../src/interfaces/IXvmAccounts.sol";
import {IXvmExecutor} from "../../src/interfaces/IXvmExecutor.sol";
import {IXvmGateway} from "../../src/interfaces/IXvmGateway.sol";
import {IXvmRoutes} from "../../src/interfaces/IXvmRoutes.sol";
import {Options, Request, RequestByHash, SignerSet} from "../../src/interfaces/XvmTypes.sol";
import {StatementHash} from "../../src/libraries/StatementHash.sol";
import {EcdsaVerifier} from "../../src/verifiers/EcdsaVerifier.sol";
import {GatewayTest} from "../GatewayTest.sol";
import {Vm} from "../Vm.sol";
import {Hostile} from "./Hostile.sol";

/// @notice One hostile contract among honest ones, and how both are made to ask. All pay the same fee.
abstract contract HostileTest is GatewayTest {
    uint64 internal constant MOST_GAS = 9_000_000;

    /// @dev Enough for a bomb to be built once, and too little for building it twice.
    uint64 internal constant BOMB_GAS = 2_400_000;

    /// @dev CALLER, SELFDESTRUCT.
    bytes internal constant DESTROYING = hex"33ff";

    address payable internal constant DESTROYER = payable(address(0xdead));

    bytes4 internal constant OPEN = 0;

    bytes4[] private _expected;
    Hostile internal hostile;
    uint64 internal gasLimit = MOST_GAS;
    bool internal byOwnAccount;

    function setUp() public virtual override {
        super.setUp();
        IXvmRoutes.Outbound memory wide = route();
        (wide.maxExecutionGas, wide.maxCallbackGas) = (uint32(MOST_GAS), uint32(MOST_GAS));
        sourceRoutes.setOutbound(chain(), wide);
        vm.etch(DESTROYER, DESTROYING);
        hostile = new Hostile();
        vm.deal(address(hostile), 1000 ether);
    }

    function options() internal view returns (Options memory chosen) {
        chosen.executionGasLimit = gasLimit;
        chosen.callbackGasLimit = gasLimit;
        chosen.ownAccount = byOwnAccount;
    }

    function honestAsks(uint256 amount) internal returns (uint256 id, Request memory request) {
        return askBy(echo, address(counter), increment(amount), options());
    }

    function hostileAsks() internal returns (uint256 id, Request memory request) {
        vm.recordLogs();
        hostile.forward(address(source), 10 ether, askingCall());
        return lastRequest();
    }

    function askingCall() internal view returns (bytes memory) {
        return abi.encodeWithSignature(
            "xvmExecute(bytes,bytes,(uint8,bool,uint64,uint64,uint32,uint64,bool,bytes32,uint32,uint64,bytes))",
            account(address(counter)),
            increment(1),
            options()
        );
    }

    /// @dev Lets the hostile contract try a door, which is `OPEN` to it or answers with this error.
    function door(address where, uint256 value, bytes memory data, bytes4 answer) internal {
        hostile.addMove(where, value, data);
        _expected.push(answer);
    }

    function verifierDoor(EcdsaVerifier verifier) internal {
        SignerSet memory set = signerSet(keys, 3);
        bytes32 leaf = StatementHash.rotateLeaf(verifier.hashSignerSet(set), 2);
        door(
            address(verifier), 0, abi.encodeCall(verifier.rotate, (set, certificate(verifier, 1, leaf, 1, keys))), OPEN
        );
    }

    /// @dev Every entry point of the destination's side. `late` is past its expiry.
    function destinationDoors(Request memory open, Request memory late) internal {
        address there = address(destination);
        RequestByHash[] memory shown = new RequestByHash[](1);
        shown[0] = byHash(late);
        bytes memory executing = abi.encodeCall(destination.execute, (executeBatch(open), payeeWord(worker)));
        door(there, 0, executing, IXvmGateway.ContractCaller.selector);
        door(there, 0, abi.encodeCall(destination.expire, (expireBatch(late), payeeWord(worker))), OPEN);
        door(there, 0, abi.encodeCall(destination.showLapsed, (shown)), OPEN);
        door(
            destination.executor(),
            0,
            abi.encodeCall(IXvmExecutor.run, (address(counter), 100_000, 32, increment(1))),
            IXvmExecutor.OnlyGateway.selector
        );
        door(
            destination.accounts(),
            0,
            abi.encodeCall(IXvmAccounts.run, (bytes32(0), address(counter), 100_000, 32, increment(1))),
            IXvmExecutor.OnlyGateway.selector
        );
    }

    /// @dev Every door was tried once, and answered as expected.
    function assertDoors() internal view {
        assertEq(hostile.answered(), _expected.length, "every door was tried");
        for (uint256 i = 0; i < _expected.length; ++i) {
            assertEq(bytes32(hostile.answers(i)), bytes32(_expected[i]), string.concat("door ", vm.toString(i)));
        }
    }

    /// @dev Everything that the logs recorded last say of these requests, and of what honest contracts did.
    function logsOf(Vm.Log[] memory logs, uint256[] memory ids) internal view returns (bytes memory said) {
        for (uint256 i = 0; i < logs.length; ++i) {
            Vm.Log memory log = logs[i];
            bool meant = log.emitter == address(echo) || log.emitter == address(counter);
            for (uint256 j = 0; j < ids.length; ++j) {
                meant = meant || (log.topics.length > 1 && log.topics[1] == bytes32(ids[j]));
            }
            if (meant) said = bytes.concat(said, abi.encode(log.emitter, log.topics, log.data));
        }
    }

    /// @dev Balance of the source's gateway, against all that it owes in these tests.
    function assertAllOwed(uint256 openFees, uint256 given) internal view {
        uint256 owed = openFees + source.credits(worker) + source.credits(relayer) + source.credits(treasury)
            + source.credits(address(echo)) + source.credits(address(hostile)) + source.uncollected(relayer)
            + source.signersPool(address(sourceVerifier), 1) + source.signersPool(address(sourceVerifier), 2);
        assertEq(
            address(source).balance, owed + given, "balance = open fees + credits + pools (+ what was forced on it)"
        );
    }
}

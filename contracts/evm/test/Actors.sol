// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmCallback} from "../src/interfaces/IXvmCallback.sol";
import {IXvmDestination} from "../src/interfaces/IXvmDestination.sol";
import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {IXvmSource} from "../src/interfaces/IXvmSource.sol";
import {DeliverBatch, ExecuteBatch, Options, OutcomeItem} from "../src/interfaces/XvmTypes.sol";

/// @notice A contract that asks and then does, when called back, what the test set.
contract Requester is IXvmCallback {
    IXvmGateway public immutable gateway;

    uint256 public calls;
    uint256 public gasAtEntry;
    bool public failing;
    bool public bombing;
    bytes[] public moves;
    bool[] public worked;

    constructor(IXvmGateway gateway_) {
        gateway = gateway_;
    }

    receive() external payable {}

    function ask(bytes calldata target, bytes calldata payload, Options calldata options) external payable {
        gateway.xvmExecute{value: address(this).balance}(target, payload, options);
    }

    function setFailing(bool failing_) external {
        failing = failing_;
    }

    function setBombing(bool bombing_) external {
        bombing = bombing_;
    }

    /// @notice Adds a call to the gateway that the callback will try.
    function addMove(bytes calldata move) external {
        moves.push(move);
    }

    function withdraw(address to) external {
        gateway.withdraw(to);
    }

    function xvmCallback(uint256, bool, bytes calldata) external {
        uint256 gasNow = gasleft();
        require(msg.sender == address(gateway), "not the gateway");
        if (bombing) {
            assembly ("memory-safe") {
                return(0, 100000)
            }
        }
        require(!failing, "failing");
        gasAtEntry = gasNow;
        ++calls;
        for (uint256 i = 0; i < moves.length; ++i) {
            (bool success,) = address(gateway).call(moves[i]);
            worked.push(success);
        }
    }
}

/// @notice A target that tells how much gas it was given and who called, and tries to re-enter.
contract Probe {
    uint256 public gasAtEntry;
    address public caller;
    bytes public seen;
    uint256 public runs;
    bytes32 public consumedAtEntry;
    address public door;
    bytes public move;
    bool public worked;

    function setMove(address door_, bytes calldata move_) external {
        door = door_;
        move = move_;
    }

    function touch(IXvmDestination gateway) external {
        uint256 gasNow = gasleft();
        gasAtEntry = gasNow;
        caller = msg.sender;
        ++runs;
        (uint256 id, bytes memory sender) = gateway.currentRequest();
        seen = abi.encode(id, sender);
        consumedAtEntry = gateway.consumed(id);
        if (door != address(0)) (worked,) = door.call(move);
    }

    /// @notice Answers with `length` zero bytes, or reverts with them.
    function bomb(uint256 length, bool reverting) external pure {
        assembly ("memory-safe") {
            let fresh := mload(0x40)
            if reverting { revert(fresh, length) }
            return(fresh, length)
        }
    }
}

/// @notice A contract that submits what only accounts may.
contract Middleman {
    function deliver(IXvmSource gateway, DeliverBatch[] calldata batches) external {
        gateway.deliver(batches);
    }

    function execute(IXvmDestination gateway, ExecuteBatch[] calldata batches) external {
        gateway.execute(batches, 0);
    }

    function retryCallback(IXvmSource gateway, OutcomeItem calldata outcome, uint64 gasLimit) external {
        gateway.retryCallback(outcome, gasLimit);
    }
}

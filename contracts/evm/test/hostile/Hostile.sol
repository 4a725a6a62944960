// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmDestination} from "../../src/interfaces/IXvmDestination.sol";

/// @notice What a hostile contract does when it is called.
enum Behaviour {
    REVERT,
    REVERT_WITH_DATA,
    INVALID,
    LOOP,
    RETURN_BOMB,
    REVERT_BOMB,
    DESTROY_ITSELF,
    SPEND_ALL_BUT_LITTLE,
    WRITE_TRANSIENT,
    REENTER
}

/// @notice A handler or a target that does harm where it can. Whatever it is called with but its settings starts it.
contract Hostile {
    struct Move {
        address door;
        uint256 value;
        bytes data;
    }

    error Ugly(uint256 size);

    uint256 private constant BOMB_BYTES = 1 << 20;
    uint256 private constant LITTLE_GAS = 300;

    Behaviour public behaviour;
    address payable public other;
    Move[] private _moves;

    uint256 public calls;
    bytes4[] public answers;
    uint256 public transientAtEntry;
    uint256 public currentAtEntry;
    uint256 public currentAtExit;

    receive() external payable {}

    /// @param other_ Code that destroys whoever runs it, or the gateway whose current request is looked at.
    function become(Behaviour behaviour_, address payable other_) external {
        behaviour = behaviour_;
        other = other_;
    }

    /// @notice Adds a call that it makes when it is to re-enter.
    function addMove(address door, uint256 value, bytes calldata data) external {
        _moves.push(Move(door, value, data));
    }

    /// @notice Calls in its own name.
    function forward(address door, uint256 value, bytes calldata data) external {
        (bool success, bytes memory answer) = door.call{value: value}(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    /// @notice How many moves it made.
    function answered() external view returns (uint256) {
        return answers.length;
    }

    fallback() external payable {
        Behaviour doing = behaviour;
        if (doing == Behaviour.REVERT) {
            assembly ("memory-safe") {
                revert(0, 0)
            }
        } else if (doing == Behaviour.REVERT_WITH_DATA) {
            revert Ugly(msg.data.length);
        } else if (doing == Behaviour.INVALID) {
            assembly ("memory-safe") {
                invalid()
            }
        } else if (doing == Behaviour.LOOP) {
            while (true) {}
        } else if (doing == Behaviour.RETURN_BOMB) {
            assembly ("memory-safe") {
                return(mload(0x40), BOMB_BYTES)
            }
        } else if (doing == Behaviour.REVERT_BOMB) {
            assembly ("memory-safe") {
                revert(mload(0x40), BOMB_BYTES)
            }
        } else if (doing == Behaviour.DESTROY_ITSELF) {
            ++calls;
            // by foreign code: the compiler has no friendly word for it
            (bool success,) = other.delegatecall("");
            require(success, "still there");
        } else if (doing == Behaviour.SPEND_ALL_BUT_LITTLE) {
            ++calls;
            assembly ("memory-safe") {
                for {} gt(gas(), LITTLE_GAS) {} {}
            }
        } else if (doing == Behaviour.WRITE_TRANSIENT) {
            _writeTransient();
        } else {
            _reenter();
        }
    }

    /// @dev Writes where the gateway keeps its current request, in its own transient storage.
    function _writeTransient() private {
        ++calls;
        uint256 slot = uint256(keccak256("xvm.currentRequest"));
        uint256 before;
        assembly ("memory-safe") {
            before := tload(slot)
            tstore(slot, 0xbad)
            tstore(add(slot, 1), 0xbad)
        }
        transientAtEntry = before;
        (currentAtEntry,) = IXvmDestination(other).currentRequest();
    }

    /// @dev Makes its moves; keeps 0 for what worked, else the error's selector.
    function _reenter() private {
        ++calls;
        (currentAtEntry,) = IXvmDestination(other).currentRequest();
        for (uint256 i = 0; i < _moves.length; ++i) {
            Move storage move = _moves[i];
            (bool success, bytes memory answer) = move.door.call{value: move.value}(move.data);
            answers.push(success ? bytes4(0) : bytes4(answer));
        }
        (currentAtExit,) = IXvmDestination(other).currentRequest();
    }
}

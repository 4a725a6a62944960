// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @notice What a test says of values.
abstract contract Assertions {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error Unequal(string what, bytes32 given, bytes32 expected);
    error Untrue(string what);

    /// @dev Deploys a contract by its artifact. `new` would compile all of it once more into each test that says so.
    function deploy(string memory name, bytes memory arguments) internal returns (address) {
        return vm.deployCode(string.concat(name, ".sol:", name), arguments);
    }

    function assertEq(uint256 given, uint256 expected, string memory what) internal pure {
        if (given != expected) revert Unequal(what, bytes32(given), bytes32(expected));
    }

    function assertEq(bytes32 given, bytes32 expected, string memory what) internal pure {
        if (given != expected) revert Unequal(what, given, expected);
    }

    function assertEq(address given, address expected, string memory what) internal pure {
        assertEq(uint160(given), uint160(expected), what);
    }

    function assertEq(bytes memory given, bytes memory expected, string memory what) internal pure {
        assertEq(keccak256(given), keccak256(expected), what);
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert Untrue(what);
    }

    function bound(uint256 value, uint256 lowest, uint256 highest) internal pure returns (uint256) {
        return lowest + value % (highest - lowest + 1);
    }
}

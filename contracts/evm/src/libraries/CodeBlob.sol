// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title Data kept as a contract's code
/// @notice One account access reads it all. The code is STOP ‖ data: it can be neither run nor destroyed.
library CodeBlob {
    /// @notice The contract could not be created.
    error BlobNotWritten();

    /// @notice Creates a contract whose code is STOP ‖ `data`.
    function write(bytes memory data) internal returns (address blob) {
        // PUSH2 length, DUP1, PUSH1 10, RETURNDATASIZE, CODECOPY, RETURNDATASIZE, RETURN: 10 bytes, then the code
        bytes memory initcode = abi.encodePacked(hex"61", uint16(data.length + 1), hex"80600a3d393df3", hex"00", data);
        assembly ("memory-safe") {
            blob := create(0, add(initcode, 32), mload(initcode))
        }
        if (blob == address(0)) revert BlobNotWritten();
    }

    /// @notice All data of a blob.
    function read(address blob) internal view returns (bytes memory data) {
        data = new bytes(blob.code.length - 1);
        assembly ("memory-safe") {
            extcodecopy(blob, add(data, 32), 1, mload(data))
        }
    }

    /// @notice The first word of a blob's data.
    function word(address blob) internal view returns (bytes32 value) {
        assembly ("memory-safe") {
            extcodecopy(blob, 0, 1, 32)
            value := mload(0)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SolanaAccount, SolanaPayload} from "../../src/client/SolanaPayload.sol";
import {Assertions} from "../Assertions.sol";

/// @notice What contracts ask of Solana, byte for byte: `tests/unit/cli/test_svm_payload.py` has the same.
contract SolanaPayloadTest is Assertions {
    bytes32 internal constant WRITTEN = 0x1111111111111111111111111111111111111111111111111111111111111111;
    bytes32 internal constant SIGNER = 0x2222222222222222222222222222222222222222222222222222222222222222;

    function test_ACallListsItsAccounts() public pure {
        SolanaAccount[] memory accounts = new SolanaAccount[](2);
        accounts[0] = SolanaAccount({key: WRITTEN, isSigner: false, isWritable: true});
        accounts[1] = SolanaAccount({key: SIGNER, isSigner: true, isWritable: false});
        bytes memory expected = hex"020000001111111111111111111111111111111111111111111111111111111111111111"
            hex"000122222222222222222222222222222222222222222222222222222222222222220100020000000304";
        assertEq(SolanaPayload.call(accounts, hex"0304"), expected, "two accounts");
        assertEq(SolanaPayload.call(new SolanaAccount[](0), ""), hex"0000000000000000", "nothing");
    }

    function test_AQueryNamesASlice() public pure {
        assertEq(SolanaPayload.slice(36, 0x01020304), hex"2400000004030201", "slice");
    }

    function test_ATargetIsAnInteroperableAddress() public pure {
        bytes memory expected = hex"00010002201111111111111111111111111111111111111111111111111111111111111111"
            hex"202222222222222222222222222222222222222222222222222222222222222222";
        assertEq(SolanaPayload.target(WRITTEN, SIGNER), expected, "target");
    }

    function test_NumbersAreLittleEndian(uint64 value) public pure {
        bytes8 told = SolanaPayload.u64(value);
        uint256 read = 0;
        for (uint256 i = 0; i < 8; ++i) {
            read |= uint256(uint8(told[i])) << (8 * i);
        }
        assertEq(read, value, "u64");
        uint32 low = uint32(value);
        assertEq(bytes32(SolanaPayload.u32(low)), bytes32(bytes4(SolanaPayload.u64(low))), "u32");
    }
}

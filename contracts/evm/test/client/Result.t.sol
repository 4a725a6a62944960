// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Verdict, XvmResult, XvmResults} from "../../src/client/XvmResult.sol";
import {Assertions} from "../Assertions.sol";

contract ResultTest is Assertions {
    using XvmResults for XvmResult;

    error Refused(uint256 code);

    function test_AVerdictSaysWhatCanBeKnown() public pure {
        assertTrue(_returned("").verdict() == Verdict.RETURNED, "returned nothing");
        assertTrue(_failed(hex"01").verdict() == Verdict.REVERTED, "said why");
        assertTrue(_failed("").verdict() == Verdict.SILENT, "said nothing");
    }

    function test_WordsAreRead(uint256 value, bytes calldata more) public pure {
        (bool known, uint256 word) = _returned(abi.encodePacked(value, more)).tryUint();
        assertTrue(known && word == value, "uint");
        bool flag;
        (known, flag) = _returned(abi.encode(value)).tryBool();
        assertTrue(known == (value < 2) && flag == (value == 1), "bool");
        address account;
        (known, account) = _returned(abi.encode(value)).tryAddress();
        assertTrue(known == (value <= type(uint160).max), "fits");
        assertEq(account, known ? address(uint160(value)) : address(0), "address");
    }

    function test_SECURITY_AFailureReturnsNoValue(bytes calldata data) public pure {
        XvmResult memory result = _failed(data);
        (bool known, uint256 word) = result.tryUint();
        assertTrue(!known && word == 0, "uint");
        bytes memory value;
        (known, value) = result.tryBytes();
        assertTrue(!known && value.length == 0, "bytes");
    }

    function test_BytesAreReadWhole(bytes calldata value) public pure {
        (bool known, bytes memory read) = _returned(abi.encode(value)).tryBytes();
        assertTrue(known, "known");
        assertEq(read, value, "the same");
    }

    function test_SECURITY_NothingIsReadBeyondTheData(bytes calldata data, uint256 place, uint256 length) public pure {
        _returned(data).tryBytes();
        _failed(bytes.concat(hex"08c379a0", data)).tryReason();
        _returned(abi.encodePacked(place, length, data)).tryBytes();
        bytes memory cut = abi.encode(data);
        assembly ("memory-safe") {
            mstore(cut, sub(mload(cut), 32))
        }
        (bool known,) = _returned(cut).tryBytes();
        assertTrue(!known || data.length == 0, "what was cut is not whole");
    }

    function test_ReasonsAreRead() public pure {
        XvmResult memory result = _failed(abi.encodeWithSignature("Error(string)", "too late"));
        (bool known, string memory reason) = result.tryReason();
        assertTrue(known, "known");
        assertEq(bytes(reason), "too late", "reason");
        result = _failed(abi.encodeWithSelector(Refused.selector, 7));
        assertEq(result.errorSelector(), Refused.selector, "custom error");
        (known,) = result.tryReason();
        assertTrue(!known, "no message");
        assertEq(_failed(hex"010203").errorSelector(), bytes4(0), "too short");
        assertEq(_returned(abi.encode(7)).errorSelector(), bytes4(0), "no failure");
    }

    function _returned(bytes memory data) private pure returns (XvmResult memory) {
        return XvmResult({success: true, data: data, context: 0});
    }

    function _failed(bytes memory data) private pure returns (XvmResult memory) {
        return XvmResult({success: false, data: data, context: 0});
    }
}

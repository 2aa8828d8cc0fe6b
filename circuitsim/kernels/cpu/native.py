"""Intrinsics that Numba lacks: arrays at an address, calls by address, atomic words, and yielding the core."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.np.arrayobj import make_array, populate_array

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,import-untyped"

Word = ir.IntType(64)
intrinsic: Any = extending.intrinsic  # what it makes is called without the first argument


@intrinsic
def operand(typingctx: Any, table, offset, kind):
    """The array of a type that a table describes from a place on: its address, its shape, its strides."""
    array = kind.instance_type

    def codegen(context, builder, signature, args):
        def word(index: int) -> Any:
            return builder.load(builder.gep(args[0], [builder.add(args[1], ir.Constant(Word, index))]))

        view = make_array(array)(context, builder)
        populate_array(
            view,
            data=builder.inttoptr(word(0), view.data.type),
            shape=[word(1 + axis) for axis in range(array.ndim)],
            strides=[word(1 + array.ndim + axis) for axis in range(array.ndim)],
            itemsize=context.get_abi_sizeof(context.get_data_type(array.dtype)),
            meminfo=None,
        )
        return view._getvalue()

    return array(table, types.int64, kind), codegen


def _view(context: Any, builder: Any, kind: Any, address: Any, length: Any) -> Any:
    """A one-dimensional array in one piece."""
    view = make_array(kind)(context, builder)
    size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    data = builder.inttoptr(address, view.data.type)
    step = context.get_constant(types.intp, size)
    populate_array(view, data=data, shape=[length], strides=[step], itemsize=size, meminfo=None)
    return view._getvalue()


@intrinsic
def _line(typingctx: Any, array, r, b, low, high):
    kind = types.Array(array.dtype, 1, "C")

    def codegen(context, builder, signature, args):
        whole = make_array(array)(context, builder, args[0])
        strides = cgutils.unpack_tuple(builder, whole.strides)
        address = builder.ptrtoint(whole.data, Word)
        for stride, index in zip(strides, args[1:4], strict=True):
            address = builder.add(address, builder.mul(stride, index))
        return _view(context, builder, kind, address, builder.sub(args[4], args[3]))

    return kind(array, *[types.int64] * 4), codegen


@intrinsic
def _block(typingctx: Any, array, r, low, high):
    kind = types.Array(array.dtype, 1, "C")

    def codegen(context, builder, signature, args):
        whole = make_array(array)(context, builder, args[0])
        strides = cgutils.unpack_tuple(builder, whole.strides)
        address = builder.ptrtoint(whole.data, Word)
        for stride, index in zip(strides, args[1:3], strict=False):
            address = builder.add(address, builder.mul(stride, index))
        width = cgutils.unpack_tuple(builder, whole.shape)[2]
        return _view(context, builder, kind, address, builder.mul(width, builder.sub(args[3], args[2])))

    return kind(array, *[types.int64] * 3), codegen


def line(array: Any, r: int, b: int, low: int, high: int) -> Any:
    """array[r, b, low:high]; of an array in one piece it is compiled at once, where a slice takes long."""
    return array[r, b, low:high]


def block(array: Any, r: int, low: int, high: int) -> Any:
    """All numbers of array[r, low:high] in a row, of an array in one piece."""
    return array[r, low:high].reshape(-1)


@extending.overload(line)
def _compiled_line(array, r, b, low, high):
    if array.layout == "C":
        return lambda array, r, b, low, high: _line(array, r, b, low, high)
    return lambda array, r, b, low, high: array[r, b, low:high]


@extending.overload(block)
def _compiled_block(array, r, low, high):
    return (lambda array, r, low, high: _block(array, r, low, high)) if array.layout == "C" else None


@intrinsic
def address(typingctx: Any, array):
    """Return the address of an array."""

    def codegen(context, builder, signature, args):
        return builder.ptrtoint(make_array(array)(context, builder, args[0]).data, Word)

    return types.int64(array), codegen


@intrinsic
def prefetch(typingctx: Any, address):
    """Tell that what lies at an address will soon be read."""

    def codegen(context, builder, signature, args):
        small = ir.IntType(32)
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, small, small, small])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, near, data = ir.Constant(small, 0), ir.Constant(small, 3), ir.Constant(small, 1)
        builder.call(function, [builder.inttoptr(args[0], pointer), read, near, data])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


def soon(array: Any, row: int, low: int, high: int) -> None:
    """Tell that array[0, row, low:high] will soon be read."""


@extending.overload(soon)
def _compiled_soon(array, row, low, high):
    def told(array, row, low, high):
        begin = address(array) + row * array.strides[1]
        for place in range(begin + low * array.itemsize, begin + high * array.itemsize, 64):
            prefetch(place)

    return told


@intrinsic
def call_kernel(typingctx: Any, function, table, first, last, low, high, begin, end):
    """Call a kernel by its address, with its operands' table and its share of replicas, neurons and examples."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(ir.VoidType(), [Word.as_pointer(), *[Word] * 6])
        target = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(target, [builder.inttoptr(args[1], Word.as_pointer()), *args[2:]])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 8), codegen


@intrinsic
def load_word(typingctx: Any, address):
    """The whole number at an address, and all that was written before it was."""

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], Word.as_pointer())
        return builder.load_atomic(pointer, ordering="seq_cst", align=8)

    return types.int64(types.int64), codegen


@intrinsic
def store_word(typingctx: Any, address, value):
    """Write a whole number to an address, after all that was written before."""

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], Word.as_pointer())
        builder.store_atomic(args[1], pointer, ordering="seq_cst", align=8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def give_way(typingctx: Any):
    """Yield the core to another thread."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def call_gemm(typingctx: Any, gemm, across_a, across_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """BLAS's C = alpha op(A) op(B) + beta C, by columns, by the address of sgemm or dgemm; op turns where it is 1."""

    def codegen(context, builder, signature, args):
        char = ir.IntType(8)
        number = context.get_value_type(alpha)

        def kept(value: Any) -> Any:
            slot = cgutils.alloca_once(builder, value.type)
            builder.store(value, slot)
            return slot

        def whole(value: Any) -> Any:
            return kept(value)  # 64 bits: a library that counts in 32 finds the same number in the lower half

        def turned(flag: Any) -> Any:
            turn = builder.icmp_signed("!=", flag, ir.Constant(Word, 0))
            return kept(builder.select(turn, ir.Constant(char, ord("T")), ir.Constant(char, ord("N"))))

        def at(address: Any) -> Any:
            return builder.inttoptr(address, number.as_pointer())

        values = [
            *(turned(flag) for flag in args[1:3]),
            *(whole(value) for value in args[3:6]),
            kept(args[6]),
            at(args[7]),
            whole(args[8]),
            at(args[9]),
            whole(args[10]),
            kept(args[11]),
            at(args[12]),
            whole(args[13]),
        ]
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in values])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), values)
        return context.get_dummy_value()

    words = [types.int64] * 6
    rest = [types.int64] * 4
    return types.void(*words, alpha, *rest, alpha, *[types.int64] * 2), codegen


@intrinsic
def bits(typingctx: Any, number):
    """The bits of a floating-point number as a whole number of as many."""
    whole = types.int32 if number == types.float32 else types.int64

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(whole))

    return whole(number), codegen


@intrinsic
def from_bits(typingctx: Any, whole):
    """The floating-point number of which a whole number is the bits."""
    number = types.float32 if whole == types.int32 else types.float64

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(number))

    return number(whole), codegen

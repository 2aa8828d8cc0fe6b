"""Sums of products in vector registers: blocks of a correlation, and of sums over positions.

LLVM's vectorizer does not keep several sums in registers across a loop; these intrinsics do. A vector has as many bytes
as the processor's widest registers, and blocks are as large as there are registers for their sums.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import binding, ir
from numba import extending, types
from numba.core import cgutils

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,import-untyped"

Word = ir.IntType(64)
intrinsic: Any = extending.intrinsic
_FEATURES = binding.get_host_cpu_features()
WIDE = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx") else 16
"""Bytes of a vector."""
SUMS = 24 if WIDE == 64 else 12
"""Vectors of sums that leave registers for what is multiplied: 32 registers, or 16."""


def across(rows: int) -> int:
    """Return how many vectors a block of some rows is wide."""
    return min(SUMS // rows, 12)


class _Block:
    """Builds the code of one block: vectors of sums, and loops that add products to them."""

    def __init__(self, context: Any, builder: Any, number: Any, rows: int, columns: int) -> None:
        self.context, self.builder, self.number = context, builder, context.get_value_type(number)
        self.size = context.get_abi_sizeof(self.number)
        self.vector = ir.VectorType(self.number, WIDE // self.size)
        zero = ir.Constant(self.vector, None)
        self.sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(columns)] for _ in range(rows)]

    def vector_at(self, address: Any, bytes_on: Any) -> Any:
        """Return the pointer to a vector some bytes after an address."""
        place = self.builder.add(address, self.word(bytes_on))
        return self.builder.inttoptr(place, self.vector.as_pointer())

    def load(self, address: Any, bytes_on: Any = 0) -> Any:
        """Return the vector some bytes after an address, which need not be aligned."""
        return self.builder.load(self.vector_at(address, bytes_on), align=self.size)

    def store(self, value: Any, address: Any, bytes_on: Any = 0) -> None:
        """Write a vector some bytes after an address."""
        self.builder.store(value, self.vector_at(address, bytes_on), align=self.size)

    def spread(self, address: Any) -> Any:
        """Return a vector that has the number at an address in all places."""
        return self.filled(self.builder.load(self.builder.inttoptr(address, self.number.as_pointer())))

    def filled(self, value: Any) -> Any:
        """Return a vector that has a value in all places."""
        small = ir.IntType(32)
        empty = ir.Constant(ir.VectorType(value.type, self.vector.count), ir.Undefined)
        first = self.builder.insert_element(empty, value, ir.Constant(small, 0))
        return self.builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(small, self.vector.count), None))

    def add(self, row: int, column: int, one: Any, other: Any) -> None:
        """Add a product of vectors to a sum, rounded once where the processor can."""
        name = f"llvm.fmuladd.v{self.vector.count}f{8 * self.size}"
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        slot = self.sums[row][column]
        self.builder.store(self.builder.call(function, [one, other, self.builder.load(slot)]), slot)

    def add_all(self, rows: int, columns: int, of_row: Any, of_column: Any) -> None:
        """Add the product of each row's vector and each column's; the fewer of them stay in registers."""
        if rows <= columns:
            held = [of_row(row) for row in range(rows)]
            for column in range(columns):
                other = of_column(column)
                for row in range(rows):
                    self.add(row, column, held[row], other)
        else:
            held = [of_column(column) for column in range(columns)]
            for row in range(rows):
                one = of_row(row)
                for column in range(columns):
                    self.add(row, column, one, held[column])

    def total(self, row: int, column: int) -> Any:
        """Return the sum over a vector of sums."""
        name = f"llvm.vector.reduce.fadd.v{self.vector.count}f{8 * self.size}"
        kind = ir.FunctionType(self.number, [self.number, self.vector])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        start = ir.Constant(self.number, -0.0)
        return self.builder.call(function, [start, self.builder.load(self.sums[row][column])], fastmath=("reassoc",))

    def word(self, value: Any) -> Any:
        """Return a whole number as LLVM has it."""
        return ir.Constant(Word, value) if isinstance(value, int) else value


@cache
def correlated(rows: int, columns: int) -> Any:
    """Return the intrinsic that computes some outputs over some vectors of positions.

    It writes out[i, p] = sum over taps k of weights[i, k] image[offsets[k] + p], the image at the address of position 0
    of these. Offsets, and the distances between rows of the result and between weights of rows and of taps, are bytes.
    """

    @intrinsic
    def block(typingctx: Any, one, out, line, weights, by_row, by_tap, offsets, taps, image):
        def codegen(context, builder, signature, args):
            made = _Block(context, builder, signature.args[0], rows, columns)
            with cgutils.for_range(builder, args[7], intp=Word) as loop:
                place = builder.inttoptr(builder.add(args[6], builder.mul(loop.index, made.word(8))), Word.as_pointer())
                cells = builder.add(args[8], builder.load(place))
                own = builder.add(args[3], builder.mul(loop.index, args[5]))
                made.add_all(
                    rows,
                    columns,
                    lambda row: made.spread(builder.add(own, builder.mul(args[4], made.word(row)))),
                    lambda column: made.load(cells, WIDE * column),
                )
            for row in range(rows):
                to = builder.add(args[1], builder.mul(args[2], made.word(row)))
                for column in range(columns):
                    made.store(builder.load(made.sums[row][column]), to, WIDE * column)
            return context.get_dummy_value()

        return types.void(one, *[types.int64] * 8), codegen

    return block


@cache
def summed(rows: int, columns: int) -> Any:
    """Return the intrinsic that sums products over positions and images, for some fields and some taps.

    It writes out[i, k] = sum over images n and positions p of fields[n, i, p] image[n, offsets[k] + p]; all distances
    are bytes, and `vectors` counts the positions in vectors.
    """

    @intrinsic
    def block(typingctx: Any, one, out, fields, field_bytes, next_fields, image, next_image, offsets, vectors, images):
        def codegen(context, builder, signature, args):
            made = _Block(context, builder, signature.args[0], rows, columns)
            shifts = [
                builder.load(builder.inttoptr(builder.add(args[7], made.word(8 * c)), Word.as_pointer()))
                for c in range(columns)
            ]
            with cgutils.for_range(builder, args[9], intp=Word) as each:
                own = builder.add(args[2], builder.mul(each.index, args[4]))
                cells = builder.add(args[5], builder.mul(each.index, args[6]))
                with cgutils.for_range(builder, args[8], intp=Word) as loop:
                    here = builder.mul(loop.index, made.word(WIDE))
                    made.add_all(
                        rows,
                        columns,
                        lambda row: made.load(builder.add(own, builder.mul(args[3], made.word(row))), here),
                        lambda column: made.load(builder.add(cells, here), shifts[column]),
                    )
            for row in range(rows):
                for column in range(columns):
                    place = builder.add(args[1], made.word((row * columns + column) * made.size))
                    builder.store(made.total(row, column), builder.inttoptr(place, made.number.as_pointer()))
            return context.get_dummy_value()

        return types.void(one, *[types.int64] * 9), codegen

    return block


@cache
def largest(last: bool) -> Any:
    """Return the intrinsic that finds, for a vector of neurons, the largest of their inputs and the tap that won.

    It reads source[cells[t, i]] times weights[t] for the taps t, or `absent` where the cell is negative, and writes to
    out[i] and, unless its address is 0, to winner[i]. Of equal inputs the first wins, or the last. What is not a number
    wins at once.
    """

    @intrinsic
    def vector(typingctx: Any, absent, out, winner, source, weights, cells, cell_bytes, taps):
        def codegen(context, builder, signature, args):
            made = _Masked(context, builder, signature.args[0])
            numbers = ir.VectorType(ir.IntType(32), made.vector.count)
            best = cgutils.alloca_once_value(builder, made.filled(ir.Constant(made.number, float("-inf"))))
            won = cgutils.alloca_once_value(builder, ir.Constant(numbers, [-1] * made.vector.count))
            missing = made.filled(args[0])
            with cgutils.for_range(builder, args[7], intp=Word) as loop:
                place = builder.add(args[5], builder.mul(loop.index, args[6]))
                cell = builder.load(builder.inttoptr(place, numbers.as_pointer()), align=4)
                exists = builder.icmp_signed(">=", cell, ir.Constant(numbers, None))
                weight = made.spread(builder.add(args[4], builder.mul(loop.index, made.word(made.size))))
                value = builder.fmul(weight, made.gather(args[3], cell, exists))
                value = builder.select(exists, value, missing)
                held = builder.load(best)
                better = builder.fcmp_ordered(">=" if last else ">", value, held)
                better = builder.or_(better, builder.fcmp_unordered("uno", value, value))
                tap = made.filled(builder.trunc(loop.index, ir.IntType(32)))
                builder.store(builder.select(better, value, held), best)
                builder.store(builder.select(better, tap, builder.load(won)), won)
            made.store(builder.load(best), args[1])
            with builder.if_then(builder.icmp_signed("!=", args[2], made.word(0))):
                wide = ir.VectorType(Word, made.vector.count)
                whole = builder.sext(builder.load(won), wide)
                builder.store(whole, builder.inttoptr(args[2], wide.as_pointer()), align=8)
            return context.get_dummy_value()

        return types.void(absent, *[types.int64] * 7), codegen

    return vector


def _row(change: str) -> Any:
    """Return the intrinsic that copies, adds or clears numbers in a row, given their addresses and their count.

    Rows of images are short: a loop that a compiler unrolls for long ones would do them one number at a time.
    """

    @intrinsic
    def row(typingctx: Any, one, to, source, count):
        def codegen(context, builder, signature, args):
            made = _Masked(context, builder, signature.args[0])
            lanes = made.word(made.vector.count)
            steps = builder.sdiv(builder.add(args[3], made.word(made.vector.count - 1)), lanes)
            with cgutils.for_range(builder, steps, intp=Word) as loop:
                mask = made.mask(builder.sub(args[3], builder.mul(loop.index, lanes)))
                shift = builder.mul(loop.index, made.word(WIDE))
                value = ir.Constant(made.vector, None)
                if change != "clear":
                    value = made.load_masked(args[2], shift, mask)
                if change == "add":
                    value = builder.fadd(value, made.load_masked(args[1], shift, mask))
                made.store_masked(value, args[1], shift, mask)
            return context.get_dummy_value()

        return types.void(one, *[types.int64] * 3), codegen

    return row


class _Masked(_Block):
    """Vectors of which only the first numbers are read and written."""

    def __init__(self, context: Any, builder: Any, number: Any) -> None:
        super().__init__(context, builder, number, 0, 0)
        self.flags = ir.VectorType(ir.IntType(1), self.vector.count)
        self.suffix = f"v{self.vector.count}f{8 * self.size}.p0"

    def mask(self, left: Any) -> Any:
        """Return the flags of the places below a number."""
        numbers = ir.VectorType(Word, self.vector.count)
        each = ir.Constant(numbers, list(range(self.vector.count)))
        return self.builder.icmp_signed("<", each, self.filled(left))

    def load_masked(self, address: Any, bytes_on: Any, mask: Any) -> Any:
        """Return the vector some bytes after an address, 0 where the mask is not set."""
        pointer, align = self.vector_at(address, bytes_on), ir.Constant(ir.IntType(32), self.size)
        kind = ir.FunctionType(self.vector, [pointer.type, align.type, self.flags, self.vector])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.masked.load.{self.suffix}")
        return self.builder.call(function, [pointer, align, mask, ir.Constant(self.vector, None)])

    def gather(self, address: Any, numbers: Any, mask: Any) -> Any:
        """Return the numbers at some places of an array, 0 where the mask is not set."""
        count, pointer = self.vector.count, self.number.as_pointer()
        wide = ir.VectorType(Word, count)
        shift = self.builder.mul(self.builder.zext(numbers, wide), self.filled(self.word(self.size)))
        places = self.builder.inttoptr(self.builder.add(self.filled(address), shift), ir.VectorType(pointer, count))
        align = ir.Constant(ir.IntType(32), self.size)
        kind = ir.FunctionType(self.vector, [places.type, align.type, self.flags, self.vector])
        name = f"llvm.masked.gather.v{count}f{8 * self.size}.v{count}p0"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [places, align, mask, ir.Constant(self.vector, None)])

    def store_masked(self, value: Any, address: Any, bytes_on: Any, mask: Any) -> None:
        """Write a vector some bytes after an address where the mask is set."""
        pointer, align = self.vector_at(address, bytes_on), ir.Constant(ir.IntType(32), self.size)
        kind = ir.FunctionType(ir.VoidType(), [self.vector, pointer.type, align.type, self.flags])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.masked.store.{self.suffix}")
        self.builder.call(function, [value, pointer, align, mask])


copy_row, add_row, clear_row = _row("copy"), _row("add"), _row("clear")

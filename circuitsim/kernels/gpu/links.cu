// Kernels of synapses that are not dense: windows of images, and synapses that are listed. Each thread sums what one
// neuron, or one weight, receives, in the order of the synapses; specification.py says what each computes.

#define WORDS_OF(name, k) const View<const word> name = array<const word>(t, k)

// The numbers of a window: image, fields, kernel, stride, before, and whether each position has its own weights.
struct Window {
    word channels, rows, columns, out, down, across, kh, kw, sy, sx, by, bx, untied;
    __device__ Window(const View<const word> &g)
        : channels(g.at(0, 0, 0)), rows(g.at(0, 1, 0)), columns(g.at(0, 2, 0)), out(g.at(0, 3, 0)),
          down(g.at(0, 4, 0)), across(g.at(0, 5, 0)), kh(g.at(0, 6, 0)), kw(g.at(0, 7, 0)), sy(g.at(0, 8, 0)),
          sx(g.at(0, 9, 0)), by(g.at(0, 10, 0)), bx(g.at(0, 11, 0)), untied(g.at(0, 12, 0)) {}
    __device__ word row(word o, word p) const { return untied ? p * out + o : o; }
    __device__ word tap(word c, word u, word v) const { return (c * kh + u) * kw + v; }
};

KERNEL(window_forward) {
    WORDS_OF(numbers, 0);
    const bool kept = number(t, 1) != 0;
    READS(emitted, 2);
    READS(weight, 3);
    WRITES(arriving, 4);
    const Window g(numbers);
    EACH(arriving) {
        const word o = y / (g.down * g.across), p = y % (g.down * g.across);
        const word y0 = p / g.across * g.sy - g.by, x0 = p % g.across * g.sx - g.bx;
        REAL total = 0;
        for (word c = 0; c < g.channels; c++)
            for (word u = 0; u < g.kh; u++)
                for (word v = 0; v < g.kw; v++)
                    if (y0 + u >= 0 && y0 + u < g.rows && x0 + v >= 0 && x0 + v < g.columns)
                        total += weight.at(r, g.row(o, p), g.tap(c, u, v)) *
                                 emitted.at(r, x, (c * g.rows + y0 + u) * g.columns + x0 + v);
        arriving.at(r, x, y) = kept ? arriving.at(r, x, y) + total : total;
    }
}

KERNEL(window_backward) {
    WORDS_OF(numbers, 0);
    const bool kept = number(t, 1) != 0;
    READS(emitted, 2);
    READS(weight, 3);
    WRITES(arriving, 4);
    const Window g(numbers);
    EACH(arriving) {
        const word c = y / (g.rows * g.columns), cell = y % (g.rows * g.columns);
        const word ry = cell / g.columns + g.by, rx = cell % g.columns + g.bx;
        REAL total = 0;
        for (word u = 0; u < g.kh; u++)
            for (word v = 0; v < g.kw; v++) {
                if (ry < u || rx < v || (ry - u) % g.sy || (rx - v) % g.sx)
                    continue;
                const word py = (ry - u) / g.sy, px = (rx - v) / g.sx;
                if (py >= g.down || px >= g.across)
                    continue;
                const word p = py * g.across + px;
                for (word o = 0; o < g.out; o++)
                    total += weight.at(r, g.row(o, p), g.tap(c, u, v)) * emitted.at(r, x, o * g.down * g.across + p);
            }
        arriving.at(r, x, y) = kept ? arriving.at(r, x, y) + total : total;
    }
}

KERNEL(window_outer) {
    WORDS_OF(numbers, 0);
    READS(fields, 1);
    READS(image, 2);
    WRITES(target, 3);
    const Window g(numbers);
    const word positions = g.down * g.across, batch = fields.shape[1];
    EACH(target) {
        const word o = g.untied ? x % g.out : x, c = y / (g.kh * g.kw), u = y / g.kw % g.kh, v = y % g.kw;
        const word begin = g.untied ? x / g.out : 0, end = g.untied ? begin + 1 : positions;
        REAL total = 0;
        for (word b = 0; b < batch; b++)
            for (word p = begin; p < end; p++) {
                const word cy = p / g.across * g.sy - g.by + u, cx = p % g.across * g.sx - g.bx + v;
                if (cy >= 0 && cy < g.rows && cx >= 0 && cx < g.columns)
                    total += fields.at(r, b, o * positions + p) * image.at(r, b, (c * g.rows + cy) * g.columns + cx);
            }
        target.at(r, x, y) = total;
    }
}

KERNEL(listed_deliver) {
    WORDS_OF(rows, 0);
    WORDS_OF(pre, 1);
    WORDS_OF(slot, 2);
    const bool kept = number(t, 3) != 0;
    READS(emitted, 4);
    READS(weight, 5);
    WRITES(arriving, 6);
    EACH(arriving) {
        REAL total = 0;
        for (word k = rows.at(0, y, 0); k < rows.at(0, y + 1, 0); k++)
            total += weight.at(r, slot.at(0, k, 0), 0) * emitted.at(r, x, pre.at(0, k, 0));
        arriving.at(r, x, y) = kept ? arriving.at(r, x, y) + total : total;
    }
}

KERNEL(listed_outer) {
    WORDS_OF(rows, 0);
    WORDS_OF(posts, 1);
    WORDS_OF(pres, 2);
    READS(post, 3);
    READS(pre, 4);
    WRITES(target, 5);
    EACH(target) {
        REAL total = 0;
        for (word b = 0; b < post.shape[1]; b++)
            for (word k = rows.at(0, x, 0); k < rows.at(0, x + 1, 0); k++)
                total += post.at(r, b, posts.at(0, k, 0)) * pre.at(r, b, pres.at(0, k, 0));
        target.at(r, x, y) = total;
    }
}

enum { FIRST, LAST, ALL };

KERNEL(largest) {
    WORDS_OF(rows, 0);
    WORDS_OF(pre, 1);
    WORDS_OF(slot, 2);
    WORDS_OF(tap, 3);
    const int ties = (int)number(t, 4);
    const word count = (word)number(t, 5); // of taps, where those without a synapse compete as 0
    READS(emitted, 6);
    READS(weight, 7);
    const View<word> winner = array<word>(t, 8);
    WRITES(arriving, 9);
    EACH(arriving) {
        REAL most = 0;
        word won = ties == ALL ? 0 : -1, next = 0, k = rows.at(0, y, 0);
        const word stop = rows.at(0, y + 1, 0);
        for (bool some = false; k < stop || next < count; some = true) {
            const word place = k < stop ? tap.at(0, k, 0) : count;
            const bool absent = next < count && next < place;
            const REAL value = absent ? REAL(0) : weight.at(r, slot.at(0, k, 0), 0) * emitted.at(r, x, pre.at(0, k, 0));
            const word now = absent ? next : place;
            next = now + 1;
            k += !absent;
            if (value != value) {
                most = value;
                won = ties == ALL ? 0 : -1;
                break;
            }
            if (!some || value > most) {
                most = value;
                won = ties == ALL ? (word)1 << now : now;
            } else if (value == most && ties != FIRST)
                won = ties == ALL ? won | (word)1 << now : now;
        }
        arriving.at(r, x, y) = most;
        if (winner.first)
            winner.at(r, x, y) = won;
    }
}

KERNEL(winners) {
    WORDS_OF(rows, 0);
    WORDS_OF(pre, 1);
    WORDS_OF(slot, 2);
    WORDS_OF(tap, 3);
    const int ties = (int)number(t, 4);
    const bool kept = number(t, 5) != 0;
    READS(emitted, 6);
    WORDS_OF(winner, 7);
    READS(weight, 8);
    WRITES(arriving, 9);
    EACH(arriving) {
        REAL total = 0;
        for (word k = rows.at(0, y, 0); k < rows.at(0, y + 1, 0); k++) {
            const word j = pre.at(0, k, 0), won = winner.at(r, x, j);
            if (ties == ALL ? won >> tap.at(0, k, 0) & 1 : won == tap.at(0, k, 0))
                total += weight.at(r, slot.at(0, k, 0), 0) * emitted.at(r, x, j);
        }
        arriving.at(r, x, y) = kept ? arriving.at(r, x, y) + total : total;
    }
}

KERNEL(signed_flat) {
    READS(magnitude, 0);
    READS(other, 1);
    WRITES(out, 2);
    EACH(out) out.at(r, x, y) = fabs(magnitude.at(r, x, y)) * sign(other.at(r, x, y));
}

KERNEL(spread) {
    READS(bias, 0);
    WRITES(out, 1);
    EACH(out) out.at(r, x, y) = bias.at(r, x / (out.shape[1] / bias.shape[1]), 0);
}

KERNEL(group_squares) { // a thread for each group
    KEEPS(0);
    WORDS_OF(rows, 1);
    WORDS_OF(slot, 2);
    const bool kept = number(t, 3) != 0;
    READS(weight, 4);
    const View<double> squares = array<double>(t, 5);
    EACH(squares) {
        double total = kept ? squares.at(r, x, y) : 0;
        for (word k = rows.at(0, x, 0); k < rows.at(0, x + 1, 0); k++) {
            const double w = weight.at(r, slot.at(0, k, 0), 0);
            total += w * w;
        }
        squares.at(r, x, y) = total;
    }
}

KERNEL(group_bound) {
    KEEPS(0);
    const View<const double> squares = array<const double>(t, 1);
    WORDS_OF(groups, 2);
    READS(limit, 3);
    const View<const bool> alive = array<const bool>(t, 4);
    WRITES(weight, 5);
    EACH(weight) {
        const double norm = sqrt(squares.at(r, groups.at(0, x, 0), 0));
        if (alive.at(r, 0, 0) && norm > limit.at(r, 0, 0))
            weight.at(r, x, y) *= (REAL)(limit.at(r, 0, 0) / norm);
    }
}

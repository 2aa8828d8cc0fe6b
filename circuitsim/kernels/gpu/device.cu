// The kernels of the device backend; reference.py says what each computes. No atomics: the same bits every time.
// Those that change what is kept do nothing while a guard has halted what is under way.

enum { IDENTITY, TANH, LOGISTIC, RELU, SATURATED, SATURATED_HALF, ELU };

KERNEL(gather) {
    READS(examples, 0);
    const View<const word> rows = array<const word>(t, 1);
    WRITES(out, 2);
    EACH(out) out.at(r, x, y) = examples.at(0, rows.at(r, x, 0), y);
}

// A whole number of as many bytes as the size says; less than zero: of a signed kind.
__device__ word whole(const char *place, int size) {
    switch (size) {
    case 1: return *(const unsigned char *)place;
    case -1: return *(const signed char *)place;
    case 2: return *(const unsigned short *)place;
    case -2: return *(const short *)place;
    case 4: return *(const unsigned *)place;
    case -4: return *(const int *)place;
    default: return *(const word *)place;
    }
}

KERNEL(one_hot) {
    const View<const char> classes = array<const char>(t, 0);
    const View<const word> rows = array<const word>(t, 1);
    const int size = (int)number(t, 2);
    WRITES(out, 3);
    EACH(out) {
        const word place = rows.at(r, x, 0) * classes.strides[1] * (size < 0 ? -size : size);
        out.at(r, x, y) = whole(classes.first + place, size) == y;
    }
}

KERNEL(copy) {
    READS(source, 0);
    WRITES(out, 1);
    EACH(out) out.at(r, x, y) = source.at(r, x, y);
}

KERNEL(centre) { // a thread for each neuron
    READS(first, 0); // the first example of each
    WRITES(out, 1);
    EACH(first) {
        double total = 0;
        for (word b = x; b < out.shape[1]; b++)
            total += out.at(r, b, y);
        const REAL mean = total / out.shape[1];
        for (word b = x; b < out.shape[1]; b++)
            out.at(r, b, y) -= mean;
    }
}

__device__ REAL fired(int kind, REAL s) {
    switch (kind) {
    case TANH: return tanh(s);
    case LOGISTIC: {
        const REAL small = exp(-fabs(s)); // of a large positive number it would overflow
        return s >= 0 ? 1 / (1 + small) : small / (1 + small);
    }
    case RELU: return s < 0 ? REAL(0) : s;
    case SATURATED: return s < -1 ? REAL(-1) : s > 1 ? REAL(1) : s;
    case SATURATED_HALF: return s < -2 ? REAL(-1) : s > 2 ? REAL(1) : s / 2;
    case ELU: return s < 0 ? REAL(expm1(s)) : s;
    default: return s;
    }
}

__device__ REAL slope_of(int kind, REAL s, REAL o) {
    switch (kind) {
    case TANH: return 1 - o * o;
    case LOGISTIC: return o * (1 - o);
    case RELU: return s > 0;
    case SATURATED: return fabs(s) <= 1;
    case SATURATED_HALF: return fabs(s) <= 2 ? REAL(0.5) : REAL(0);
    case ELU: return o > 0 ? REAL(1) : 1 + o;
    default: return 1;
    }
}

KERNEL(activate) {
    const int kind = (int)number(t, 0);
    READS(bias, 1);
    WRITES(summed, 2);
    WRITES(slope, 3);
    WRITES(out, 4);
    EACH(out) {
        REAL s = summed.at(r, x, y);
        if (bias.first) {
            s += bias.at(r, y, 0);
            if (summed.first != out.first)
                summed.at(r, x, y) = s;
        }
        const REAL o = fired(kind, s);
        if (slope.first)
            slope.at(r, x, y) = slope_of(kind, s, o);
        out.at(r, x, y) = o;
    }
}

KERNEL(add_bias) {
    READS(bias, 0);
    WRITES(summed, 1);
    EACH(summed) summed.at(r, x, y) += bias.at(r, y, 0);
}

KERNEL(softmax) {
    READS(bias, 0);
    WRITES(summed, 1);
    WRITES(out, 2);
    EACH_ROW(out) {
        REAL own = log(REAL(0)), total = 0; // less than anything
        for (word y = threadIdx.x; y < out.shape[2]; y += THREADS) {
            if (bias.first)
                summed.at(r, x, y) += bias.at(r, y, 0);
            own = larger(summed.at(r, x, y), own);
        }
        const REAL largest = together(own, Largest());
        for (word y = threadIdx.x; y < out.shape[2]; y += THREADS) {
            const REAL raised = exp(summed.at(r, x, y) - largest);
            out.at(r, x, y) = raised;
            total += raised;
        }
        const REAL all = together(total, Sum());
        for (word y = threadIdx.x; y < out.shape[2]; y += THREADS)
            out.at(r, x, y) /= all;
    }
}

KERNEL(mix) {
    READS(coefficient, 0);
    READS(held, 1);
    READS(computed, 2);
    WRITES(out, 3);
    EACH(out) {
        const REAL c = coefficient.at(r, 0, 0), s = computed.at(r, x, y);
        out.at(r, x, y) = c == 0 ? s : c * held.at(r, x, y) + (1 - c) * s;
    }
}

KERNEL(mix_error) {
    READS(coefficient, 0);
    READS(held, 1);
    READS(returned, 2);
    WRITES(out, 3);
    EACH(out) {
        const REAL c = coefficient.at(r, 0, 0), h = held.at(r, x, y);
        out.at(r, x, y) = c * h + (1 - c) * (h - returned.at(r, x, y));
    }
}

KERNEL(hinge) {
    READS(target, 0);
    READS(summed, 1);
    READS(margin, 2);
    WRITES(out, 3);
    EACH(out) {
        const REAL s = summed.at(r, x, y), share = REAL(1) / (out.shape[2] - 1);
        const REAL wrong = s > -margin.at(r, 0, 0) ? -share : REAL(0);
        out.at(r, x, y) = s != s ? s : target.at(r, x, y) == 1 ? REAL(s < 1) : wrong;
    }
}

KERNEL(subtract) {
    READS(target, 0);
    READS(actual, 1);
    WRITES(out, 2);
    EACH(out) out.at(r, x, y) = target.at(r, x, y) - actual.at(r, x, y);
}

KERNEL(multiply) {
    READS(one, 0);
    READS(other, 1);
    WRITES(out, 2);
    EACH(out) out.at(r, x, y) = one.at(r, x, y) * other.at(r, x, y);
}

KERNEL(sums) { // over the batch, with one presynaptic factor for all: a thread for each neuron
    READS(post, 0);
    READS(pre, 1);
    WRITES(out, 2);
    EACH(out) {
        REAL total = 0;
        for (word b = 0; b < post.shape[1]; b++)
            total += post.at(r, b, x) * pre.at(r, b, y);
        out.at(r, x, y) = total;
    }
}

KERNEL(add) {
    READS(more, 0);
    WRITES(out, 1);
    EACH(out) out.at(r, x, y) += more.at(r, x, y);
}

KERNEL(signed_weights) {
    READS(magnitude, 0);
    READS(other, 1);
    WRITES(out, 2);
    EACH(out) out.at(r, x, y) = fabs(magnitude.at(r, y, x)) * sign(other.at(r, x, y));
}

KERNEL(mask) {
    KEEPS(0);
    const View<const bool> kept = array<const bool>(t, 1);
    WRITES(weight, 2);
    EACH(weight) weight.at(r, x, y) *= REAL(kept.at(r, x, y));
}

KERNEL(accumulate) {
    KEEPS(0);
    READS(increment, 1);
    const REAL scale = number(t, 2);
    const View<const bool> alive = array<const bool>(t, 3);
    WRITES(pending, 4);
    EACH(pending) if (alive.at(r, 0, 0)) pending.at(r, x, y) += scale * increment.at(r, x, y);
}

KERNEL(retain) {
    KEEPS(0);
    READS(fired, 1);
    const View<const bool> alive = array<const bool>(t, 2);
    WRITES(retained, 3);
    EACH(retained) if (alive.at(r, 0, 0)) retained.at(r, x, y) = fired.at(r, x, y);
}

KERNEL(clear) {
    KEEPS(0);
    const View<const bool> due = array<const bool>(t, 1);
    WRITES(pending, 2);
    EACH(pending) if (due.at(r, 0, 0)) pending.at(r, x, y) = 0;
}

KERNEL(refresh) {
    KEEPS(0);
    READS(other, 1);
    const word count = *array<const word>(t, 2).first;
    READS(every, 3);
    const View<const bool> alive = array<const bool>(t, 4);
    WRITES(weight, 5);
    EACH(weight) {
        const double turns = every.at(r, 0, 0);
        if (alive.at(r, 0, 0) && fmod((double)count, turns < 1 ? 1.0 : turns) == 0)
            weight.at(r, x, y) = other.at(r, x, y);
    }
}

KERNEL(squares) { // of a row each; added to those that are there, if it is not the first
    READS(weight, 0);
    const bool first = number(t, 1) != 0;
    const View<double> out = array<double>(t, 2);
    EACH_ROW(weight) {
        double own = 0;
        for (word y = threadIdx.x; y < weight.shape[2]; y += THREADS)
            own += (double)weight.at(r, x, y) * weight.at(r, x, y);
        const double total = together(own, Sum());
        if (threadIdx.x == 0)
            out.at(r, x, 0) = first ? total : out.at(r, x, 0) + total;
    }
}

KERNEL(bound) {
    KEEPS(0);
    const View<const double> squares = array<const double>(t, 1);
    READS(limit, 2);
    const View<const bool> alive = array<const bool>(t, 3);
    WRITES(weight, 4);
    EACH(weight) {
        const double norm = sqrt(squares.at(r, x, 0)), most = limit.at(r, 0, 0);
        if (alive.at(r, 0, 0) && norm > most)
            weight.at(r, x, y) *= REAL(most / norm);
    }
}

KERNEL(normalise) {
    KEEPS(0);
    const View<const double> squares = array<const double>(t, 1);
    const View<const bool> alive = array<const bool>(t, 2);
    WRITES(weight, 3);
    for (word r = blockIdx.y; r < weight.shape[0]; r += gridDim.y) {
        double own = 0;
        for (word x = threadIdx.x; x < weight.shape[1]; x += THREADS)
            own += squares.at(r, x, 0);
        const double total = together(own, Sum());
        if (!alive.at(r, 0, 0) || !(total > 0))
            continue;
        const REAL factor = 1 / sqrt(total);
        const unsigned size = weight.shape[1] * weight.shape[2], columns = weight.shape[2];
        for (unsigned e = blockIdx.x * blockDim.x + threadIdx.x; e < size; e += gridDim.x * blockDim.x)
            weight.at(r, e / columns, e % columns) *= factor;
    }
}

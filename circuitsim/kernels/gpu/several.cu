// Kernels that do the same with several arrays in one launch: blocks share them out by z. Of how many operands each has
// there are as many in the table as arrays.

KERNEL(guard) {
    const int k = 4 * blockIdx.z;
    READS(increments, k);
    const double limit = *array<const double>(t, k + 1).first;
    const View<const bool> alive = array<const bool>(t, k + 2);
    volatile word *halted = array<word>(t, k + 3).first;
    EACH(increments)
        if (alive.at(r, 0, 0) && !((double)fabs(increments.at(r, x, y)) < limit))
            *halted = 1; // whoever writes writes the same
}

KERNEL(apply) {
    const int k = 9 * blockIdx.z;
    KEEPS(k);
    READS(increment, k + 1);
    READS(rate, k + 2);
    READS(momentum, k + 3);
    READS(decay, k + 4);
    const REAL scale = number(t, k + 5);
    const View<const bool> alive = array<const bool>(t, k + 6);
    WRITES(velocity, k + 7);
    WRITES(weight, k + 8);
    EACH(weight) {
        if (!alive.at(r, 0, 0))
            continue;
        REAL change = scale * increment.at(r, x, y);
        if (velocity.first)
            change = velocity.at(r, x, y) = momentum.at(r, 0, 0) * velocity.at(r, x, y) + change;
        weight.at(r, x, y) = (1 - decay.at(r, 0, 0)) * weight.at(r, x, y) + rate.at(r, 0, 0) * change;
    }
}

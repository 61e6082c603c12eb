// Command soak keeps a durable server under load for a long time, with queries, an alert
// and one kill -9 a minute, and says whether its memory, file descriptors and goroutines
// stay flat and whether anything accepted was lost; scripts/soak.sh starts it.
//
// The load is 70 % of a capacity that is measured first, by one loadgen that lasts from
// the first kill to the last and keeps the books. Each life, from one kill to the next,
// gives a slope of each resource after a warm-up, by least squares, and a level, its
// median. A resource grows when the 95 % interval of its mean slope over the lives lies
// above zero and the mean is more than 10 % of the level a minute, or the same of the
// levels from life to life. It is flat when both intervals end below that; else, and with
// fewer than four lives, there is no verdict.
package main

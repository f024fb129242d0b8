// SPDX-License-Identifier: MIT
// go-redis, writing and reading until its input ends.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/redis/go-redis/v9"
)

func round(client redis.Cmdable, count int) error {
	key := fmt.Sprint("key:", count%500)
	if err := client.Set(ctx, key, count, 0).Err(); err != nil {
		return err
	}
	value, err := client.Get(ctx, key).Result()
	if err == nil && value != fmt.Sprint(count) {
		err = fmt.Errorf("%s is %s, not %d", key, value, count)
	}
	return err
}

func endure(port string, plain bool) {
	var client redis.Cmdable
	if plain {
		client = redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
	} else {
		client = redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:" + port}})
	}
	check(client.Set(ctx, "k", "v", 0).Err() == nil, "SET")
	ended := make(chan bool, 1)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		ended <- true
	}()
	fmt.Println("ready")
	count, failed, first := 0, 0, error(nil)
	for ; len(ended) == 0 || count < 1000; count++ {
		if err := round(client, count); err != nil {
			if failed == 0 {
				first = err
			}
			failed++
		}
	}
	fmt.Printf("%d done, %d failed: %v\n", count, failed, first)
}

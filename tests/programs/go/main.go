// SPDX-License-Identifier: MIT
// go-redis: PORT, or PORT cluster, or PORT endure [plain]. A round trip in RESP2 and RESP3.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var ctx = context.Background()

func check(good bool, what ...any) {
	if !good {
		fmt.Fprintln(os.Stderr, what...)
		os.Exit(1)
	}
}

func strings_(client *redis.Client) {
	check(client.Ping(ctx).Val() == "PONG", "PING")
	check(client.FlushAll(ctx).Err() == nil, "FLUSHALL")
	check(client.Set(ctx, "k", "value", 100*time.Second).Err() == nil, "SET")
	check(client.Get(ctx, "k").Val() == "value", "GET")
	check(errors.Is(client.Get(ctx, "none").Err(), redis.Nil), "GET of nothing")
	ttl := client.TTL(ctx, "k").Val()
	check(ttl > 0 && ttl <= 100*time.Second, "TTL", ttl)
	check(!client.SetNX(ctx, "k", "no", 0).Val(), "SET NX")
	check(client.MSet(ctx, "a", 1, "b", 2).Err() == nil, "MSET")
	values := client.MGet(ctx, "a", "none", "b").Val()
	check(len(values) == 3 && values[0] == "1" && values[1] == nil, "MGET", values)
	check(client.IncrBy(ctx, "a", 41).Val() == 42, "INCRBY")
	err := client.Incr(ctx, "k").Err()
	check(err != nil && strings.Contains(err.Error(), "not an integer"), "an error", err)
}

func keys(client *redis.Client) {
	pipe := client.Pipeline()
	for i := 0; i < 2000; i++ {
		pipe.Set(ctx, fmt.Sprint("key:", i), i, 0)
	}
	_, err := pipe.Exec(ctx)
	check(err == nil, "a pipeline", err)
	found := map[string]bool{}
	for iterator := client.Scan(ctx, 0, "key:*", 300).Iterator(); iterator.Next(ctx); {
		found[iterator.Val()] = true
	}
	check(len(found) == 2000, "SCAN", len(found))
	check(client.Expire(ctx, "key:1", time.Hour).Val(), "EXPIRE")
	check(client.Persist(ctx, "key:1").Val(), "PERSIST")
	check(client.Del(ctx, "key:1", "none").Val() == 1, "DEL")
	check(client.DBSize(ctx).Val() == 2002, "DBSIZE", client.DBSize(ctx).Val())
	check(strings.Contains(client.Info(ctx, "server").Val(), "redis_version:7"), "INFO")
	check(client.ConfigGet(ctx, "maxmemory-policy").Val()["maxmemory-policy"] == "noeviction", "CONFIG")
	check(client.Command(ctx).Val()["get"].Arity == 2, "COMMAND")
	check(client.ClientGetName(ctx).Val() == "go", "CLIENT GETNAME")
}

func main() {
	if len(os.Args) > 2 && os.Args[2] == "endure" {
		endure(os.Args[1], len(os.Args) > 3)
		return
	}
	if len(os.Args) > 2 {
		cluster(os.Args[1])
		fmt.Println("all is well")
		return
	}
	for _, protocol := range []int{2, 3} {
		client := redis.NewClient(&redis.Options{
			Addr: "127.0.0.1:" + os.Args[1], Protocol: protocol, ClientName: "go"})
		strings_(client)
		keys(client)
		check(client.Close() == nil, "close")
	}
	fmt.Println("all is well")
}

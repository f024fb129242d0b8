// SPDX-License-Identifier: MIT
// go-redis as a client of a cluster.
package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

func clusterKeys(client *redis.ClusterClient) {
	pipe := client.Pipeline()
	for i := 0; i < 2000; i++ {
		pipe.Set(ctx, fmt.Sprint("key:", i), i, 0)
	}
	_, err := pipe.Exec(ctx)
	check(err == nil, "a pipeline over all nodes", err)
	for i := 0; i < 2000; i++ {
		check(client.Get(ctx, fmt.Sprint("key:", i)).Val() == fmt.Sprint(i), "GET", i)
	}
	found := map[string]bool{}
	var lock sync.Mutex
	err = client.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		iterator := master.Scan(ctx, 0, "key:*", 300).Iterator()
		for iterator.Next(ctx) {
			lock.Lock()
			found[iterator.Val()] = true
			lock.Unlock()
		}
		return iterator.Err()
	})
	check(err == nil && len(found) == 2000, "SCAN of all masters", len(found), err)
	for key := range found {
		check(client.Del(ctx, key).Val() == 1, "DEL", key)
	}
}

func clusterStrings(client *redis.ClusterClient) {
	check(client.Set(ctx, "k", "value", 100*time.Second).Err() == nil, "SET")
	check(client.Get(ctx, "k").Val() == "value", "GET")
	check(client.Get(ctx, "none").Err() == redis.Nil, "GET of nothing")
	check(client.MSet(ctx, "{tag}a", 1, "{tag}b", 2).Err() == nil, "MSET")
	values := client.MGet(ctx, "{tag}a", "{tag}none", "{tag}b").Val()
	check(len(values) == 3 && values[0] == "1" && values[1] == nil, "MGET", values)
	check(client.IncrBy(ctx, "{tag}a", 41).Val() == 42, "INCRBY")
	err := client.Incr(ctx, "k").Err()
	check(err != nil && strings.Contains(err.Error(), "not an integer"), "an error", err)
	slots, err := client.ClusterSlots(ctx).Result()
	check(err == nil && len(slots) > 0 && slots[0].Start == 0, "CLUSTER SLOTS", err)
	shards, err := client.ClusterShards(ctx).Result()
	check(err == nil && len(shards) > 0 && shards[0].Nodes[0].Role == "master", "CLUSTER SHARDS", err)
	links, err := client.ClusterLinks(ctx).Result()
	check(err == nil && len(links)%2 == 0, "CLUSTER LINKS", err)
	check(strings.Contains(client.ClusterInfo(ctx).Val(), "cluster_state:ok"), "CLUSTER INFO")
}

func cluster(port string) {
	for _, protocol := range []int{2, 3} {
		client := redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: []string{"127.0.0.1:" + port}, Protocol: protocol})
		clusterStrings(client)
		clusterKeys(client)
		check(client.Close() == nil, "close")
	}
}

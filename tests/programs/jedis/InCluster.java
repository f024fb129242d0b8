// SPDX-License-Identifier: MIT
// Jedis as a client of a cluster: PORT of one of its nodes as the only argument.
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import redis.clients.jedis.ConnectionPool;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisCluster;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.resps.ScanResult;

public class InCluster {
    static void strings(JedisCluster cluster) {
        Main.check(cluster.set("k", "value", SetParams.setParams().ex(100)).equals("OK"), "SET EX");
        Main.check(cluster.get("k").equals("value") && cluster.get("none") == null, "GET");
        cluster.mset("{tag}a", "1", "{tag}b", "2");
        List<String> values = cluster.mget("{tag}a", "{tag}none", "{tag}b");
        Main.check(values.get(0).equals("1") && values.get(1) == null, "MGET");
        Main.check(cluster.incrBy("{tag}a", 41) == 42, "INCRBY");
        try {
            cluster.incr("k");
            Main.check(false, "an error");
        } catch (JedisDataException error) {
            Main.check(error.getMessage().contains("not an integer"), error.getMessage());
        }
    }

    static void scan(Jedis jedis, Set<String> found) {
        String cursor = ScanParams.SCAN_POINTER_START;
        do {
            ScanResult<String> page =
                jedis.scan(cursor, new ScanParams().match("key:*").count(300));
            found.addAll(page.getResult());
            cursor = page.getCursor();
        } while (!cursor.equals("0"));
    }

    static void keys(JedisCluster cluster) {
        for (int i = 0; i < 2000; i++) {
            cluster.set("key:" + i, "" + i);
        }
        for (int i = 0; i < 2000; i++) {
            Main.check(cluster.get("key:" + i).equals("" + i), "GET key:" + i);
        }
        Set<String> found = new HashSet<>();
        for (ConnectionPool pool : cluster.getClusterNodes().values()) {
            try (Jedis jedis = new Jedis(pool.getResource())) {
                scan(jedis, found);
            }
        }
        Main.check(found.size() == 2000, "SCAN: " + found.size());
        for (String key : found) {
            Main.check(cluster.del(key) == 1, "DEL");
        }
    }

    public static void main(String[] arguments) {
        HostAndPort node = new HostAndPort("127.0.0.1", Integer.parseInt(arguments[0]));
        for (RedisProtocol protocol : RedisProtocol.values()) {
            try (JedisCluster cluster = new JedisCluster(
                     Set.of(node), DefaultJedisClientConfig.builder().protocol(protocol).build())) {
                strings(cluster);
                keys(cluster);
            }
        }
        System.out.println("all is well");
    }
}
